/** Actions from the marketplace: each pinned, checked against its own inputs, and stood in for. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import YAML from "yaml";
import { WorkflowError } from "./errors.js";
import { actionInputs } from "./inputs.js";

const TABLE = fileURLToPath(new URL("../actions.yaml", import.meta.url));

/** actions.yaml: by name, what one version of an action takes and gives. */
export class ActionTable {
  constructor() {
    this.table = YAML.parse(readFileSync(TABLE, "utf8"));
  }

  /** What is known of `owner/name[/path]@commit`; another commit than the table's is refused. */
  find(uses) {
    const [name, commit] = uses.split("@");
    const known = this.table[name];
    if (!known) throw new WorkflowError(`${name} is not in tests/workflows/actions.yaml; add it there.`);
    if (known.commit !== commit) {
      throw new WorkflowError(
        `${name} is pinned at ${commit}; actions.yaml describes ${known.commit} (${known.version}). ` +
          "Look whether its inputs and outputs are the same, and change both.",
      );
    }
    return { name, ...known };
  }
}

/**
 * Run the stand-in for an action; returns its outputs, all that the real one has.
 *
 * @param {import("./sequence.js").Sequence} sequence
 * @param {object} running the step's facts, scope and variables
 */
export async function runAction(sequence, running, uses, given) {
  const { job } = sequence;
  const action = job.run.actions.find(uses);
  const inputs = actionInputs(action.inputs ?? {}, given, `${action.name}, used by ${job.path},`);
  const url = new URL(`stand_ins/${action.stand_in}.js`, import.meta.url);
  if (!existsSync(fileURLToPath(url))) throw new WorkflowError(`${action.name} has no stand-in here.`);
  const { default: standIn } = await import(url);
  const outputs = await standIn(inputs, {
    job,
    run: job.run,
    step: running.facts,
    variables: running.variables,
    warn: (message) => sequence.annotate(running, "warning", message),
    log: (message) => {
      running.facts.log.push(message);
      job.log(`    ${message}`);
    },
    post: (work, condition = "always") => job.posts.push({ work, condition }),
  });
  const all = Object.fromEntries((action.outputs ?? []).map((name) => [name, ""]));
  const unknown = Object.keys(outputs ?? {}).filter((name) => !(name in all));
  if (unknown.length) throw new WorkflowError(`${action.name} has no output ${unknown}.`);
  return { ...all, ...outputs };
}
