/** actions/download-artifact: of this run only, and never what does not match its digest. */
import path from "node:path";
import { WorkflowError } from "../errors.js";
import { globToRegExp } from "../hash_files.js";
import { copyFiles } from "./files.js";
import { digestOf } from "./upload_artifact.js";

export default function downloadArtifact(inputs, { job, run, warn, log }) {
  if (inputs["run-id"] || inputs.repository) {
    throw new WorkflowError("download-artifact: only artifacts of this run are here.");
  }
  const chosen = choose(inputs, run.artifacts);
  const target = path.resolve(job.workspace, inputs.path);
  const together = inputs["merge-multiple"] === "true" || isSingle(inputs);
  for (const artifact of chosen) {
    if (digestOf(artifact.folder) !== artifact.digest) {
      const message = `The digest of the artifact '${artifact.name}' is not that of its upload.`;
      if (inputs["digest-mismatch"] === "error") throw new Error(message);
      warn(message);
    }
    copyFiles(artifact.files, artifact.folder, together ? target : path.join(target, artifact.name));
    log(`Artifact ${artifact.name}: ${artifact.files.length} files`);
  }
  return { "download-path": target };
}

const isSingle = (inputs) => Boolean(inputs.name) || /^\d+$/.test(inputs["artifact-ids"]);

function choose(inputs, artifacts) {
  if (inputs.name && inputs["artifact-ids"]) {
    throw new Error("Inputs 'name' and 'artifact-ids' cannot be used together.");
  }
  if (inputs.name) {
    const found = artifacts.filter((each) => each.name === inputs.name);
    if (!found.length) throw new Error(`Unable to download artifact(s): Artifact not found for name: ${inputs.name}`);
    return found;
  }
  if (inputs["artifact-ids"]) {
    return inputs["artifact-ids"].split(",").map((id) => {
      const found = artifacts.find((each) => each.id === id.trim());
      if (!found) throw new Error(`Unable to download artifact(s): no artifact has the id ${id}.`);
      return found;
    });
  }
  return artifacts.filter((each) => globToRegExp(inputs.pattern || "*").test(each.name));
}
