/** The files by which a step speaks to the runner: GITHUB_OUTPUT, GITHUB_ENV and the others. */
import fs from "node:fs";
import path from "node:path";

const NAMES = ["OUTPUT", "ENV", "PATH", "STEP_SUMMARY", "STATE"];
const SUMMARY_LIMIT = 1024 * 1024;
const OUTPUT_LIMIT = 1024 * 1024;
const RESERVED = /^(GITHUB_|RUNNER_|NODE_OPTIONS$)/;

export class CommandFiles {
  /** Fresh files in `folder` for the step `number`. */
  constructor(folder, number) {
    fs.mkdirSync(folder, { recursive: true });
    this.files = Object.fromEntries(
      NAMES.map((name) => [`GITHUB_${name}`, path.join(folder, `${number}_${name.toLowerCase()}`)]),
    );
    Object.values(this.files).forEach((file) => fs.writeFileSync(file, ""));
  }

  #read(name) {
    return fs.readFileSync(this.files[`GITHUB_${name}`], "utf8");
  }

  outputs() {
    const text = this.#read("OUTPUT");
    if (Buffer.byteLength(text) > OUTPUT_LIMIT) throw new Error("The outputs are larger than 1 MiB.");
    return parsePairs(text, "GITHUB_OUTPUT");
  }

  variables() {
    this.state();
    const pairs = parsePairs(this.#read("ENV"), "GITHUB_ENV");
    const refused = Object.keys(pairs).find((name) => RESERVED.test(name));
    if (refused) throw new Error(`GITHUB_ENV may not set ${refused}.`);
    return pairs;
  }

  /** Only actions with a post step have a use for it; a bad line is an error all the same. */
  state() {
    return parsePairs(this.#read("STATE"), "GITHUB_STATE");
  }

  paths() {
    return this.#read("PATH").split("\n").filter((line) => line.trim());
  }

  /** The step's summary; one above the limit is lost as a whole. */
  summary() {
    const text = this.#read("STEP_SUMMARY");
    if (Buffer.byteLength(text) <= SUMMARY_LIMIT) return { text };
    const problem = "$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of 1024k.";
    return { text: "", problem };
  }
}

/** `name=value` lines, and `name<<END` ... `END` for values of several lines. */
export function parsePairs(text, file) {
  const pairs = {};
  const lines = text.split(/\r?\n/);
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index];
    const equals = line.indexOf("=");
    const heredoc = line.indexOf("<<");
    if (!line) continue;
    if (heredoc > 0 && (equals < 0 || heredoc < equals)) {
      const end = lines.indexOf(line.slice(heredoc + 2), index + 1);
      if (end < 0) throw new Error(`${file}: no line '${line.slice(heredoc + 2)}' ends '${line}'.`);
      pairs[line.slice(0, heredoc)] = lines.slice(index + 1, end).join("\n");
      index = end;
    } else if (equals > 0) {
      pairs[line.slice(0, equals)] = line.slice(equals + 1);
    } else {
      throw new Error(`${file}: Invalid format '${line}'.`);
    }
  }
  return pairs;
}
