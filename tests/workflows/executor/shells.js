/** The command with which GitHub runs a `run:` block in each shell. */
import fs from "node:fs";
import { WorkflowError } from "./errors.js";

const SHELLS = {
  "": ["bash", "-e", "{0}"], // nothing given: without pipefail
  bash: ["bash", "--noprofile", "--norc", "-eo", "pipefail", "{0}"],
  sh: ["sh", "-e", "{0}"],
  python: ["python", "{0}"],
};

/** Write `script` to `file`, and give back the command that runs it. */
export function shellCommand(shell, script, file) {
  fs.writeFileSync(file, script);
  const template = SHELLS[shell] ?? (shell.includes("{0}") ? shell.split(/\s+/) : undefined);
  if (!template) throw new WorkflowError(`The shell '${shell}' is not known here.`);
  return template.map((part) => part.replace("{0}", file));
}
