/**
 * actions/setup-python: the Python of this project, in an environment that holds nothing but a
 * stand-in for pip. That one links what is asked for from the project's own .venv, so a job has
 * exactly what it installed, and nothing is downloaded.
 */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { filesBelow, globToRegExp } from "../hash_files.js";

const PIP = fileURLToPath(new URL("../pip", import.meta.url));
const ASK = "import sys, sysconfig; print(sys.base_prefix, sysconfig.get_path('purelib'), sys.version.split()[0], sep='\\n')";

export default function setupPython(inputs, { job, run, log }) {
  if (!inputs["python-version"] && !inputs["python-version-file"]) {
    throw new Error("setup-python: neither python-version nor python-version-file is given.");
  }
  refuseMissing(inputs["cache-dependency-path"], job.workspace);
  const answer = execFileSync(run.request.python, ["-c", ASK], { encoding: "utf8" });
  const [prefix, source, version] = answer.trim().split("\n");
  const minor = version.split(".").slice(0, 2).join(".");
  const home = path.join(job.folder, "python");
  const site = path.join(home, "lib", `python${minor}`, "site-packages");
  fs.mkdirSync(site, { recursive: true });
  fs.mkdirSync(path.join(home, "bin"), { recursive: true });
  const bin = path.join(prefix, "bin");
  const settings = [`home = ${bin}`, "include-system-site-packages = false", `version = ${version}`];
  fs.writeFileSync(path.join(home, "pyvenv.cfg"), `${settings.join("\n")}\n`);
  for (const name of ["python", "python3"]) {
    link(path.join(bin, `python${minor}`), path.join(home, "bin", name));
  }
  fs.cpSync(PIP, path.join(site, "pip"), { recursive: true });
  fs.writeFileSync(path.join(site, "pip", "source.txt"), source);
  const script = `#!/bin/sh\nexec "${home}/bin/python" -m pip "$@"\n`;
  fs.writeFileSync(path.join(home, "bin", "pip"), script, { mode: 0o755 });
  job.paths.unshift(path.join(home, "bin"));
  log(`Python ${version}, for ${inputs["python-version"] || inputs["python-version-file"]}`);
  return { "python-version": version, "python-path": path.join(home, "bin", "python") };
}

function link(target, name) {
  fs.rmSync(name, { force: true });
  fs.symlinkSync(target, name);
}

/** The real action fails where the files that its cache depends on are not there. */
function refuseMissing(patterns, workspace) {
  const globs = patterns.split("\n").map((line) => line.trim()).filter(Boolean);
  const files = globs.length ? filesBelow(workspace) : [];
  for (const glob of globs) {
    if (!files.some((file) => globToRegExp(glob).test(file))) {
      throw new Error(`setup-python: No file matches '${glob}'; was the repository checked out?`);
    }
  }
}
