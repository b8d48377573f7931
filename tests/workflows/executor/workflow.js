/** Workflows and local actions, read and judged by GitHub's own parser. */
import fs from "node:fs";
import path from "node:path";
import { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } from "@actions/workflow-parser";
import { parseAction } from "@actions/workflow-parser/actions/action-parser";
import { convertActionTemplate } from "@actions/workflow-parser/actions/action-template";
import YAML from "yaml";
import { WorkflowError } from "./errors.js";

/** Files of the repository at `root`, for the parser and for us. */
export class Repository {
  constructor(root) {
    this.root = root;
  }

  read(name) {
    const file = path.join(this.root, name);
    if (!fs.existsSync(file)) throw new WorkflowError(`${name} is not in the repository.`);
    return fs.readFileSync(file, "utf8");
  }

  /**
   * A workflow: GitHub's model of its jobs, and the plain YAML for what the model leaves out
   * (`with`, `shell`, `working-directory`, `permissions`).
   */
  async workflow(name) {
    const content = this.read(name);
    const parsed = parseWorkflow({ name, content }, new NoOperationTraceWriter());
    const files = {
      getFileContent: async (reference) => ({
        name: reference.path,
        content: this.read(reference.path),
      }),
    };
    const options = { fetchReusableWorkflowDepth: 1 };
    const model =
      parsed.value && (await convertWorkflowTemplate(parsed.context, parsed.value, files, options));
    refuse(name, parsed.context, model?.errors);
    const yaml = YAML.parse(content);
    const jobs = model.jobs.map((job) => jobOf(job, yaml.jobs[job.id.value]));
    return { name, yaml, events: model.events, jobs };
  }

  /** A composite action in the repository's folder `folder`. */
  action(folder) {
    const name = ["action.yml", "action.yaml"]
      .map((file) => path.join(folder, file))
      .find((file) => fs.existsSync(path.join(this.root, file)));
    // On GitHub the step fails, too.
    if (!name) throw new Error(`Can't find 'action.yml' under '${folder}'. Was it checked out?`);
    const content = this.read(name);
    const parsed = parseAction({ name, content }, new NoOperationTraceWriter());
    const model = parsed.value && convertActionTemplate(parsed.context, parsed.value);
    refuse(name, parsed.context);
    if (model.runs.using !== "composite") {
      throw new WorkflowError(`${name} is of the kind '${model.runs.using}'; only composite actions run here.`);
    }
    const yaml = YAML.parse(content);
    return { name, yaml, steps: stepsOf(model.runs.steps, yaml.runs.steps) };
  }
}

function refuse(name, context, more = []) {
  const errors = [...context.errors.getErrors(), ...more].map((error) => error.message ?? error.Message);
  if (errors.length) throw new WorkflowError(`${name}: ${[...new Set(errors)].join("\n")}`);
}

function jobOf(model, yaml) {
  for (const key of ["container", "services"]) {
    if (key in yaml) throw new WorkflowError(`The job ${model.id.value} has '${key}', which cannot run here.`);
  }
  return {
    id: model.id.value,
    needs: (model.needs ?? []).map((need) => need.value),
    condition: model.if.expression,
    calls: model.type === "reusableWorkflowJob" ? model.ref.value : undefined,
    inheritsSecrets: Boolean(model["inherit-secrets"]),
    steps: model.type === "job" ? stepsOf(model.steps, yaml.steps) : [],
    yaml,
  };
}

function stepsOf(models, yamls) {
  return models.map((model, index) => ({
    id: model.id || `__${index + 1}`, // the parser names the steps of jobs, not those of actions
    condition: model.if.expression,
    yaml: yamls[index],
  }));
}
