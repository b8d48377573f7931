/** Whether an event starts a workflow: its filters for branches and paths. */
import { WorkflowError } from "./errors.js";
import { globToRegExp } from "./hash_files.js";

/** @param {object} filters of the event, as the YAML has them @param {object} request */
export function isStarted(filters, request) {
  const { event, ref, changed } = request;
  if (!["push", "pull_request"].includes(event) || !filters) return true;
  const branch = event === "push" ? ref.replace("refs/heads/", "") : "main"; // where it is to go
  const known = ["branches", "branches-ignore", "paths", "paths-ignore", "types"];
  const unknown = Object.keys(filters).find((name) => !known.includes(name));
  if (unknown) throw new WorkflowError(`The filter '${unknown}' cannot be imitated here.`);
  return passes([branch], filters, "branches") && (changed === null || passes(changed, filters, "paths"));
}

/** One name that the filter takes is enough; without a filter all are taken. */
function passes(names, filters, kind) {
  const taken = filters[kind];
  const ignored = filters[`${kind}-ignore`];
  if (taken) return names.some((name) => matches(name, taken));
  return !ignored || names.some((name) => !matches(name, ignored));
}

/** The last pattern that fits a name decides; one with `!` takes it out again. */
function matches(name, patterns) {
  let found = false;
  for (const pattern of [patterns].flat()) {
    if (/[?+[\]]/.test(pattern)) throw new WorkflowError(`The filter '${pattern}' cannot be imitated here.`);
    const isOut = pattern.startsWith("!");
    if (globToRegExp(isOut ? pattern.slice(1) : pattern).test(name)) found = !isOut;
  }
  return found;
}
