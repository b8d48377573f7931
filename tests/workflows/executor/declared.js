/** Small keys of the YAML that jobs, steps and workflows share. */
import { WorkflowError } from "./errors.js";
import { resolve } from "./expressions.js";

/** `timeout-minutes`, which may be an expression. */
export function minutesOf(yaml, preset, { scope, where }) {
  const minutes = Number(resolve(yaml["timeout-minutes"] ?? preset, scope));
  if (!Number.isFinite(minutes) || minutes <= 0) {
    const given = yaml["timeout-minutes"];
    throw new WorkflowError(`${where}: timeout-minutes is ${given}, expected a number above 0.`);
  }
  return minutes;
}

/** `concurrency` as {group, cancelInProgress}; nothing waits here, it is only recorded. */
export function concurrencyOf(yaml, scope) {
  if (yaml.concurrency === undefined) return null;
  const declared = resolve(yaml.concurrency, scope);
  if (typeof declared === "string") return { group: declared, cancel_in_progress: false };
  return { group: declared.group, cancel_in_progress: declared["cancel-in-progress"] ?? false };
}

export function isTolerated(yaml, scope) {
  return resolve(yaml["continue-on-error"] ?? false, scope) === true;
}
