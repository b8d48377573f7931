/** Typed inputs of workflows and actions: given, default, or refused. */
import { WorkflowError } from "./errors.js";

const EMPTY = { boolean: false, number: 0 };

function refuseUnknown(given, declared, where) {
  const unknown = Object.keys(given).find((name) => !(name in declared));
  if (unknown !== undefined) {
    const known = Object.keys(declared).join(", ") || "none";
    throw new WorkflowError(`${where} has no input '${unknown}'; known: ${known}.`);
  }
}

function missing(where, name) {
  return new WorkflowError(`${where} needs the input '${name}'.`);
}

/** Inputs of a reusable workflow: of the declared type, as GitHub checks them at the start. */
export function callInputs(declared, given, where) {
  refuseUnknown(given, declared, where);
  const values = {};
  for (const [name, { type, required, default: preset }] of Object.entries(declared)) {
    if (required && !(name in given)) throw missing(where, name);
    const value = given[name] ?? preset ?? EMPTY[type] ?? "";
    const fits = type === "string" ? typeof value !== "object" : typeof value === type;
    if (!fits) {
      throw new WorkflowError(
        `${where}: the input '${name}' is ${JSON.stringify(value)}, expected a ${type}.`,
      );
    }
    values[name] = type === "string" ? String(value) : value;
  }
  return values;
}

/**
 * Inputs of a dispatch, as the form on GitHub would accept them.
 *
 * They arrive as texts; `inputs` keeps only booleans as what they are, so a number that a typed
 * input of a reusable workflow takes has to go through `fromJSON`.
 */
export function dispatchInputs(declared, given, where) {
  refuseUnknown(given, declared, where);
  const values = {};
  for (const [name, input] of Object.entries(declared)) {
    const { type = "string", required, default: preset, options } = input ?? {};
    const value = String(given[name] ?? preset ?? (type === "boolean" ? false : (options?.[0] ?? "")));
    if (required && value === "") throw missing(where, name);
    if (type === "choice" && !options.includes(value)) {
      throw new WorkflowError(`${where}: '${value}' is no option of '${name}'.`);
    }
    if (type === "boolean" && !["true", "false"].includes(value)) {
      throw new WorkflowError(`${where}: '${name}' is '${value}', expected true or false.`);
    }
    if (type === "number" && value !== "" && Number.isNaN(Number(value))) {
      throw new WorkflowError(`${where}: '${name}' is '${value}', expected a number.`);
    }
    values[name] = type === "boolean" ? value === "true" : value;
  }
  return values;
}

/**
 * Inputs of an action: texts. GitHub lets a required one be absent; here it is an error. A given
 * empty text is not: what is required may come from a variable that is not set, and it is the
 * action that has to say so.
 */
export function actionInputs(declared, given, where) {
  refuseUnknown(given, declared, where);
  const values = {};
  for (const [name, input] of Object.entries(declared)) {
    if (input?.required && !(name in given) && input.default === undefined) {
      throw missing(where, name);
    }
    values[name] = String(given[name] ?? input?.default ?? "");
  }
  return values;
}
