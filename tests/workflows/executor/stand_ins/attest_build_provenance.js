/** actions/attest-build-provenance: records what would be signed. */
import fs from "node:fs";
import path from "node:path";
import { demand } from "../permissions.js";
import { sha256 } from "../hash_files.js";
import { filesOf } from "./files.js";

export default function attest(inputs, { job, run, log }) {
  demand(job.permissions, "id-token", "write", "A signed attestation");
  demand(job.permissions, "attestations", "write", "A signed attestation");
  const subjects = subjectsOf(inputs, job.workspace);
  for (const subject of subjects) {
    run.attestations.push({ ...subject, job: job.path });
    log(`Attested ${subject.name} sha256:${subject.digest}`);
  }
  const id = String(run.attestations.length);
  const { server_url: server, repository } = job.contexts.github;
  return { "attestation-id": id, "attestation-url": `${server}/${repository}/attestations/${id}` };
}

function subjectsOf(inputs, workspace) {
  const given = ["subject-path", "subject-digest", "subject-checksums"].filter((name) => inputs[name]);
  if (given.length !== 1) {
    throw new Error("One of subject-path, subject-digest, or subject-checksums must be provided");
  }
  if (given[0] === "subject-path") {
    const { root, files } = filesOf(inputs["subject-path"].replaceAll(",", "\n"), workspace);
    if (!files.length) throw new Error(`Could not find subject at path ${inputs["subject-path"]}`);
    return files.map((file) => ({
      name: path.basename(file),
      digest: sha256(fs.readFileSync(path.join(root, file))),
    }));
  }
  if (given[0] === "subject-digest") {
    const [, digest] = /^sha256:([0-9a-f]{64})$/.exec(inputs["subject-digest"]) ?? [];
    if (!digest || !inputs["subject-name"]) {
      throw new Error('subject-digest must be in the format "sha256:<hex-digest>", with a subject-name');
    }
    return [{ name: inputs["subject-name"], digest }];
  }
  const lines = fs.readFileSync(path.resolve(workspace, inputs["subject-checksums"]), "utf8").trim();
  return lines.split("\n").map((line) => {
    const [digest, name] = line.split(/\s+\*?/);
    return { name, digest };
  });
}
