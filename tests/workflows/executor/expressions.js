/**
 * Expressions, evaluated by GitHub's own library, and strictly: a path that GitHub would silently
 * take for an empty string is an error here.
 */
import { data, Evaluator, Lexer, Parser } from "@actions/expressions";
import { truthy as isTruthy } from "@actions/expressions/result";
import { WorkflowError } from "./errors.js";

const CONTEXTS = [
  "github", "env", "vars", "secrets", "inputs", "needs", "steps", "job", "jobs", "runner", "matrix",
  "strategy",
];
const STATUS_FUNCTIONS = ["success", "failure", "cancelled", "always"];
const STRICT = Symbol("the path of an object that must hold every key asked for");

/** A copy of `object`, found at `path`, of which asking for a key that it lacks is an error. */
export function strict(object, path) {
  return Object.defineProperty({ ...object }, STRICT, { value: path });
}

class StrictDictionary extends data.Dictionary {
  get(key) {
    const value = super.get(key);
    if (value === undefined) {
      const known = this.keys.length ? `known here: ${this.keys.join(", ")}` : "nothing is known here";
      throw new WorkflowError(
        `${this.path}.${key} is unknown; ${known}. GitHub would take it for ''.`,
      );
    }
    return value;
  }
}

function toData(value) {
  if (value === null || typeof value !== "object") {
    return data.reviver("", value ?? null);
  }
  if (Array.isArray(value)) {
    return new data.Array(...value.map(toData));
  }
  const pairs = Object.entries(value).map(([key, item]) => ({ key, value: toData(item) }));
  if (!(STRICT in value)) {
    return new data.Dictionary(...pairs);
  }
  const dictionary = new StrictDictionary(...pairs);
  dictionary.path = value[STRICT];
  return dictionary;
}

const toValue = (result) => JSON.parse(JSON.stringify(result, data.replacer));

/** Version 0.3.61 un-escapes only the first '' of a text: do it for all. */
function tokensOf(expression) {
  return new Lexer(expression).lex().tokens.map((token) => {
    if (token.value?.kind === data.Kind.String) {
      token.value = new data.StringData(token.lexeme.slice(1, -1).replaceAll("''", "'"));
    }
    return token;
  });
}

/**
 * What an expression is evaluated in.
 *
 * @typedef {object} Scope
 * @property {Object<string, object>} contexts by name: github, needs, steps, ...
 * @property {Object<string, () => boolean>} [status] success, failure, cancelled
 * @property {(...patterns: string[]) => string} [hashFiles]
 */
function evaluate(expression, scope) {
  const functions = new Map();
  for (const name of STATUS_FUNCTIONS) {
    const holds = name === "always" ? () => true : scope.status?.[name];
    const call = () => {
      if (!holds) throw new WorkflowError(`${name}() is not available here.`);
      return new data.BooleanData(holds());
    };
    functions.set(name, { name, minArgs: 0, maxArgs: 255, call });
  }
  const hashFiles = (...patterns) => {
    if (!scope.hashFiles) throw new WorkflowError("hashFiles() is not available here.");
    return new data.StringData(scope.hashFiles(...patterns.map((each) => each.coerceString())));
  };
  functions.set("hashfiles", { name: "hashFiles", minArgs: 1, maxArgs: 255, call: hashFiles });
  const dictionary = new data.Dictionary();
  for (const name of CONTEXTS) dictionary.add(name, toData(scope.contexts[name] ?? {}));
  try {
    const tree = new Parser(tokensOf(expression), CONTEXTS, [...functions.values()]).parse();
    return new Evaluator(tree, dictionary, functions).evaluate();
  } catch (error) {
    const Kind = error instanceof WorkflowError ? WorkflowError : Error;
    throw new Kind(`\${{ ${expression.trim()} }}: ${error.message}`, { cause: error });
  }
}

/** Whether a condition holds; `expression` comes from GitHub's parser, with its status function. */
export function holds(expression, scope) {
  return isTruthy(evaluate(expression, scope));
}

/** A text with its `${{ }}` evaluated; one that is a single expression keeps the value's type. */
function interpolate(text, scope) {
  const parts = [];
  let position = 0;
  for (let begin; (begin = text.indexOf("${{", position)) >= 0; ) {
    const end = endOfExpression(text, begin + 3);
    const result = evaluate(text.slice(begin + 3, end), scope);
    if (begin === 0 && end + 2 === text.length) return toValue(result);
    parts.push(text.slice(position, begin), result.coerceString());
    position = end + 2;
  }
  return parts.join("") + text.slice(position);
}

function endOfExpression(text, from) {
  let quoted = false;
  for (let index = from; index < text.length; index++) {
    if (text[index] === "'") quoted = !quoted;
    if (!quoted && text.startsWith("}}", index)) return index;
  }
  throw new WorkflowError(`An expression is not closed: ${text.slice(from)}`);
}

/** A value of a workflow's YAML with all expressions in it evaluated. */
export function resolve(value, scope) {
  if (typeof value === "string") return interpolate(value, scope);
  if (Array.isArray(value)) return value.map((item) => resolve(item, scope));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item, scope)]));
}

/** A value as GitHub puts it into a text: an environment variable, an output, an input. */
export function asText(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** A mapping of the YAML, evaluated, with texts for values. */
export function resolveTexts(mapping, scope) {
  const resolved = resolve(mapping ?? {}, scope);
  return Object.fromEntries(Object.entries(resolved).map(([key, value]) => [key, asText(value)]));
}
