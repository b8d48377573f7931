/** actions/upload-artifact: a folder of the run; what lies there is never changed. */
import fs from "node:fs";
import path from "node:path";
import { filesBelow, sha256 } from "../hash_files.js";
import { copyFiles, filesOf } from "./files.js";

const DAYS = 90;

export default function uploadArtifact(inputs, { job, run, log, warn }) {
  const { root, files } = filesOf(inputs.path, job.workspace, {
    hidden: inputs["include-hidden-files"] === "true",
  });
  if (!files.length) return nothingFound(inputs, { log, warn });
  const name = inputs.archive === "true" ? inputs.name : path.basename(files[0]);
  if (inputs.archive !== "true" && files.length > 1) {
    throw new Error("upload-artifact: without an archive, only a single file can be uploaded.");
  }
  if (/["<>|*?:/\\\r\n]/.test(name)) throw new Error(`The artifact name is not valid: ${name}.`);
  const days = Number(inputs["retention-days"] || DAYS);
  if (!(days >= 1 && days <= DAYS)) throw new Error(`retention-days is ${days}, expected 1 to ${DAYS}.`);
  const before = run.artifacts.findIndex((each) => each.name === name);
  if (before >= 0) {
    if (inputs.overwrite !== "true") {
      throw new Error(`Conflict: an artifact with the name '${name}' exists on the workflow run already.`);
    }
    run.artifacts.splice(before, 1);
  }
  const id = String(1000 + run.artifacts.length + 1);
  const folder = path.join(run.folder, "artifacts", `${id}-${name}`);
  copyFiles(files, root, folder);
  const digest = digestOf(folder);
  if (run.request.corrupt.includes(name)) {
    fs.appendFileSync(path.join(folder, files[0]), "a byte that was not uploaded");
  }
  run.artifacts.push({ id, name, folder, digest, files, days, job: job.path });
  log(`Artifact ${name}: ${files.length} files, sha256:${digest}`);
  const { server_url: server, repository, run_id: number } = job.contexts.github;
  return {
    "artifact-id": id,
    "artifact-url": `${server}/${repository}/actions/runs/${number}/artifacts/${id}`,
    "artifact-digest": digest,
  };
}

function nothingFound(inputs, { log, warn }) {
  const message = `No files were found with the provided path: ${inputs.path}. No artifacts will be uploaded.`;
  const behaviours = { warn, ignore: log, error: (text) => { throw new Error(text); } };
  const behave = behaviours[inputs["if-no-files-found"]];
  if (!behave) throw new Error(`if-no-files-found is '${inputs["if-no-files-found"]}'.`);
  behave(message);
  return {};
}

/** The digest of a folder; the real one is that of a zip file. */
export function digestOf(folder) {
  const lines = filesBelow(folder).map((file) => `${file} ${sha256(fs.readFileSync(path.join(folder, file)))}`);
  return sha256(lines.join("\n"));
}
