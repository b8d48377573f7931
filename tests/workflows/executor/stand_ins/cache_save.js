/** actions/cache/save: a key is written once, and then never again. */
import fs from "node:fs";
import path from "node:path";
import { folderOf } from "./cache_restore.js";
import { copyFiles, filesOf } from "./files.js";

export default function save(inputs, { job, run, log, warn }) {
  const folder = folderOf(run, inputs.key, inputs.path);
  if (fs.existsSync(folder)) {
    log(`Cache hit occurred on the primary key ${inputs.key}, not saving cache.`);
    return {};
  }
  const { root, files } = filesOf(inputs.path, job.workspace);
  if (!files.length) {
    warn("Path Validation Error: Path(s) specified in the action for caching do(es) not exist.");
    return {};
  }
  const inside = files.map((file) => path.relative(job.workspace, path.join(root, file)));
  copyFiles(inside, job.workspace, folder);
  log(`Cache saved with key: ${inputs.key}`);
  return {};
}
