/** A job on a machine of its own: an empty workspace, its steps, its outputs. */
import fs from "node:fs";
import path from "node:path";
import { concurrencyOf, isTolerated, minutesOf } from "./declared.js";
import { asText, resolve, resolveTexts, strict } from "./expressions.js";
import { defaultVariables, runnerContext } from "./github.js";
import { Masks } from "./masks.js";
import { killLeftovers } from "./process.js";
import { Sequence } from "./sequence.js";

const DEFAULT_TIMEOUT_MINUTES = 360;
const SUMMARIES = 20; // GitHub shows those of the first steps only
const MINIMAL = ["PATH", "LANG", "LC_ALL", "TZ"];

export class JobRun {
  /**
   * @param {import("./run.js").Run} run
   * @param {object} facts definition, path, contexts, wanted (whether its `if` holds now),
   *   environment, permissions, defaults (of the workflow's `run`)
   */
  constructor(run, facts) {
    Object.assign(this, { run, ...facts });
    this.status = "success";
    this.masks = new Masks([]);
    this.annotations = [];
    this.steps = [];
    this.paths = [];
    this.posts = [];
    this.groups = [];
    this.active = [];
  }

  async execute() {
    this.#prepare();
    const failure = this.run.injected("fail", this.path);
    const timer = setTimeout(() => this.#timeOut(), this.minutes * this.run.request.minute_seconds * 1e3);
    try {
      if (failure !== undefined) {
        this.log(failure);
        this.annotate("error", failure);
        this.status = "failure";
      } else {
        this.log(`runs on ${JSON.stringify(this.labels)}`);
        await this.sequence.execute(this.definition.steps);
        await this.#runPosts();
      }
    } finally {
      clearTimeout(timer);
      this.run.leave(this);
      killLeftovers(this.groups);
    }
    return this.#finish();
  }

  #prepare() {
    const { yaml, id } = this.definition;
    const scope = { contexts: this.contexts };
    const labels = resolve(yaml["runs-on"], scope);
    this.labels = Array.isArray(labels) ? labels : [labels?.labels ?? labels].flat();
    this.minutes = minutesOf(yaml, DEFAULT_TIMEOUT_MINUTES, { scope, where: this.path });
    this.folder = path.join(this.run.folder, "jobs", this.path.replace(/[^\w.-]+/g, "_"));
    this.workspace = path.join(this.folder, "work");
    this.home = path.join(this.folder, "home");
    this.runner = runnerContext(this.folder, this.labels);
    for (const each of [this.workspace, this.home, this.runner.temp, this.runner.tool_cache]) {
      fs.mkdirSync(each, { recursive: true });
    }
    const token = this.run.issueToken(this.permissions);
    const event = path.join(this.folder, "event.json");
    fs.writeFileSync(event, JSON.stringify(this.contexts.github.event));
    const github = { ...this.contexts.github, token, job: id, workspace: this.workspace, event_path: event };
    [...Object.values(this.contexts.secrets), token].forEach((secret) => this.masks.add(secret));
    const variables = { ...this.contexts.env, ...resolveTexts(yaml.env, scope) };
    this.variables = variables;
    this.contexts = {
      ...this.contexts,
      github: strict(github, "github"),
      secrets: strict({ ...this.contexts.secrets, GITHUB_TOKEN: token }, "secrets"),
      runner: strict(this.runner, "runner"),
    };
    this.defaults = { ...this.defaults, ...resolve(yaml.defaults?.run ?? {}, scope) };
    this.sequence = new Sequence(this, { contexts: this.contexts, status: this.#statusFunctions() });
  }

  #statusFunctions() {
    return {
      success: () => this.status === "success",
      failure: () => this.status === "failure",
      cancelled: () => this.status === "cancelled",
    };
  }

  /** The environment of a step's process, but for what the step itself adds. */
  baseVariables(github) {
    const machine = Object.fromEntries(
      MINIMAL.filter((name) => name in process.env).map((name) => [name, process.env[name]]),
    );
    return {
      ...machine,
      HOME: this.home,
      // A hosted runner is no machine on AWS: nothing there gives out credentials.
      AWS_EC2_METADATA_DISABLED: "true",
      ...this.run.request.machine,
      PATH: [...this.paths, this.run.bin, machine.PATH].join(":"),
      ...defaultVariables(github, this.runner),
    };
  }

  log(text) {
    this.run.log(this.path, this.masks.hide(text));
  }

  annotate(level, message, properties = {}, step = null) {
    const { title = null, file = null, line = null } = properties;
    const hidden = this.masks.hide(message);
    this.annotations.push({ level, message: hidden, title, file, line: line && Number(line), step });
  }

  /** The workflow is cancelled: jobs whose `if` still holds go on, of the others some steps do. */
  cancelUnlessWanted() {
    if (!this.wanted()) this.cancel();
  }

  cancel() {
    if (this.status === "cancelled" || this.ended) return;
    this.status = "cancelled";
    this.log("cancelled");
    this.annotate("error", "The operation was canceled.");
    if (this.active.some((step) => !step.wanted())) this.abort();
  }

  /** End the step that runs. */
  abort() {
    this.active.at(-1)?.controller.abort();
  }

  #timeOut() {
    const limit = `the maximum execution time of ${this.minutes} minutes`;
    this.annotate("error", `The job running on runner ${this.runner.name} has exceeded ${limit}.`);
    this.cancel();
  }

  /** What actions do after the last step, the last one first. */
  async #runPosts() {
    for (const { work, condition } of this.posts.reverse()) {
      if (condition === "always" || this.status === "success") await work();
    }
  }

  #finish() {
    this.ended = true;
    const { yaml } = this.definition;
    const contexts = { ...this.contexts, steps: this.sequence.context(), env: strict(this.variables, "env") };
    const scope = { contexts };
    const tolerated = this.status === "failure" && isTolerated(yaml, scope);
    const result = tolerated ? "success" : this.status;
    const outputs = this.#handOn(resolveTexts(yaml.outputs, scope));
    const shown = this.steps.filter((step) => step.summary).slice(0, SUMMARIES);
    const url = typeof yaml.environment === "object" ? yaml.environment?.url : undefined;
    this.log(`${this.status}; outputs ${JSON.stringify(outputs)}`);
    this.run.jobs[this.path] = {
      result, outcome: this.status, outputs, steps: this.steps, annotations: this.annotations,
      summary: shown.map((step) => step.summary).join("\n"), runs_on: this.labels,
      permissions: this.permissions, timeout_minutes: this.minutes,
      environment: this.environment || null, environment_url: url ? asText(resolve(url, scope)) : null,
      concurrency: concurrencyOf(yaml, scope),
    };
    return { result, outputs };
  }

  /** GitHub drops an output that holds a masked value, and says so in the log only. */
  #handOn(outputs) {
    for (const [name, value] of Object.entries(outputs)) {
      if (value && this.masks.isIn(value)) {
        this.annotate("warning", `Skip output '${name}' since it may contain secret.`);
        outputs[name] = "";
      }
    }
    return outputs;
  }
}
