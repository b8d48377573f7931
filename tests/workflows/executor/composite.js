/** A composite action of the repository: steps with inputs, outputs and a status of their own. */
import path from "node:path";
import { asText, resolve, strict } from "./expressions.js";
import { actionInputs } from "./inputs.js";
import { Sequence } from "./sequence.js";
import { Repository } from "./workflow.js";

// What of the job's contexts an action may read.
const VISIBLE = ["github", "runner", "matrix", "strategy"];

/** Run the action in the folder `uses` of what the job has checked out. */
export async function runComposite(outer, running, uses, given) {
  const { job } = outer;
  const folder = uses.replace(/^\.\//, "");
  // From the workspace, as on GitHub: without a checkout there is no action.
  const action = new Repository(job.workspace).action(folder);
  const declared = action.yaml.inputs ?? {};
  const visible = Object.fromEntries(VISIBLE.map((name) => [name, outer.contexts[name]]));
  const presets = Object.fromEntries(
    Object.entries(declared).map(([name, input]) => [
      name,
      { ...input, default: input?.default === undefined ? undefined : presetOf(input, running) },
    ]),
  );
  const inputs = actionInputs(presets, given, `${action.name}, used by ${job.path},`);
  const github = { ...outer.contexts.github, action_path: path.join(job.workspace, folder) };
  let failed = false;
  const sequence = new Sequence(job, {
    contexts: { ...visible, github: strict(github, "github"), inputs: strict(inputs, "inputs") },
    status: {
      success: () => !failed && job.status !== "cancelled",
      failure: () => failed && job.status !== "cancelled",
      cancelled: () => job.status === "cancelled",
    },
    variables: running.own,
    parent: running.facts,
    failed: () => { failed = true; },
  });
  await sequence.execute(action.steps);
  const contexts = { ...sequence.contexts, steps: sequence.context() };
  const outputs = Object.fromEntries(
    Object.entries(action.yaml.outputs ?? {}).map(([name, { value }]) => [
      name,
      asText(resolve(value, { contexts })),
    ]),
  );
  return { succeeded: !failed && job.status !== "cancelled", outputs };
}

function presetOf(input, running) {
  return asText(resolve(input.default, running.scope));
}
