/** actions/checkout: a copy of the working tree, as the one commit of a repository. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { WorkflowError } from "../errors.js";
import { demand } from "../permissions.js";

const ONLY_HERE = { repository: "", submodules: "false", "sparse-checkout": "" };

export default function checkout(inputs, { job, run, log }) {
  demand(job.permissions, "contents", "read", "actions/checkout");
  for (const [name, known] of Object.entries(ONLY_HERE)) {
    if (inputs[name] !== known) throw new WorkflowError(`checkout: '${name}' cannot be imitated here.`);
  }
  if (![ "", run.request.sha, job.contexts.github.ref, job.contexts.github.ref_name ].includes(inputs.ref)) {
    throw new WorkflowError(`checkout: there is no ref '${inputs.ref}' here, only this run's own.`);
  }
  const target = path.join(job.workspace, inputs.path);
  if (inputs.clean === "true") fs.rmSync(target, { recursive: true, force: true });
  fs.mkdirSync(target, { recursive: true });
  execFileSync("cp", ["-Rp", `${run.request.root}/.`, target]);
  if (inputs["persist-credentials"] === "true") {
    const token = inputs.token || job.contexts.github.token;
    const header = ["config", "http.https://github.com/.extraheader", `AUTHORIZATION: basic ${token}`];
    execFileSync("git", ["-C", target, ...header]);
  }
  log(`checked out ${run.request.sha}`);
  return { ref: job.contexts.github.ref, commit: run.request.sha };
}
