/** `hashFiles()`, and the globs that it and the actions on artifacts understand. */
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";

/** The SHA-256 of a file, or of a text, in hex. */
export function sha256(content) {
  return crypto.createHash("sha256").update(content).digest("hex");
}

/** All files below `folder`, as paths relative to it, sorted; links to files count as files. */
export function filesBelow(folder) {
  const found = [];
  const walk = (relative) => {
    for (const entry of fs.readdirSync(path.join(folder, relative), { withFileTypes: true })) {
      const name = path.join(relative, entry.name);
      if (entry.isDirectory()) walk(name);
      else if (fs.statSync(path.join(folder, name), { throwIfNoEntry: false })?.isFile()) found.push(name);
    }
  };
  walk("");
  return found.sort();
}

/** A glob as a regular expression over relative paths: `*` within a name, `**` over folders. */
export function globToRegExp(glob) {
  const source = glob.replace(/\*\*\/|\*\*|\*|\?|[.+^${}()|[\]\\]/g, (part) => {
    if (part === "**/") return "(?:.*/)?";
    if (part === "**") return ".*";
    if (part === "*") return "[^/]*";
    return part === "?" ? "[^/]" : `\\${part}`;
  });
  return new RegExp(`^${source}$`);
}

/** GitHub's way: the hash of the files' hashes, in the order of their paths; '' without a match. */
export function hashFiles(workspace, patterns) {
  const globs = patterns.map(globToRegExp);
  const matching = filesBelow(workspace).filter((file) => globs.some((glob) => glob.test(file)));
  if (!matching.length) return "";
  const total = crypto.createHash("sha256");
  for (const file of matching) {
    total.update(crypto.createHash("sha256").update(fs.readFileSync(path.join(workspace, file))).digest());
  }
  return total.digest("hex");
}
