/** actions/cache/restore: from a folder that outlives the run. */
import fs from "node:fs";
import path from "node:path";
import { filesBelow, sha256 } from "../hash_files.js";
import { copyFiles } from "./files.js";

/** Where a key's files lie; its version is the list of its paths, as on GitHub. */
export function folderOf(run, key, paths) {
  return path.join(run.request.cache, sha256(paths).slice(0, 16), encodeURIComponent(key));
}

function find(inputs, run) {
  const exact = folderOf(run, inputs.key, inputs.path);
  if (fs.existsSync(exact)) return inputs.key;
  const all = path.dirname(exact);
  const keys = fs.existsSync(all) ? fs.readdirSync(all).map(decodeURIComponent) : [];
  const age = (key) => fs.statSync(folderOf(run, key, inputs.path)).mtimeMs;
  const newestFirst = keys.sort((left, right) => age(right) - age(left));
  for (const prefix of inputs["restore-keys"].split("\n").map((line) => line.trim()).filter(Boolean)) {
    const found = newestFirst.find((key) => key.startsWith(prefix));
    if (found) return found;
  }
  return "";
}

export default function restore(inputs, { job, run, log }) {
  const matched = find(inputs, run);
  if (!matched && inputs["fail-on-cache-miss"] === "true") {
    throw new Error(`Failed to restore cache entry. Input key: ${inputs.key}`);
  }
  log(matched ? `Cache restored from key: ${matched}` : `Cache not found for input key: ${inputs.key}`);
  if (matched && inputs["lookup-only"] !== "true") {
    const folder = folderOf(run, matched, inputs.path);
    copyFiles(filesBelow(folder), folder, job.workspace);
  }
  return {
    "cache-hit": matched ? String(matched === inputs.key) : "",
    "cache-primary-key": inputs.key,
    "cache-matched-key": matched,
  };
}
