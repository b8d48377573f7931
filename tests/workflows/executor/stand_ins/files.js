/** Which files the `path` of an artifact or a cache means. */
import fs from "node:fs";
import path from "node:path";
import { filesBelow, globToRegExp } from "../hash_files.js";

const WILDCARD = /[*?[]/;

/**
 * @param {string} patterns one a line; `!` leaves out
 * @returns {{root: string, files: string[]}} files relative to root, as upload-artifact arranges them
 */
export function filesOf(patterns, workspace, { hidden = true } = {}) {
  const lines = patterns.split("\n").map((line) => line.trim()).filter(Boolean);
  const absolute = (pattern) => path.resolve(workspace, pattern);
  const left = lines.filter((line) => line.startsWith("!")).map((line) => absolute(line.slice(1)));
  const leave = left.map((pattern) => [globToRegExp(pattern), pattern + path.sep]);
  const wanted = lines.filter((line) => !line.startsWith("!")).map(absolute);
  const bases = wanted.map(literalPart);
  const found = new Set();
  wanted.forEach((pattern, index) => {
    for (const file of matching(pattern, bases[index], hidden)) {
      if (!leave.some(([glob, below]) => glob.test(file) || file.startsWith(below))) found.add(file);
    }
  });
  const root = bases.length === 1 && isFolder(bases[0]) ? bases[0] : commonFolder(bases);
  return { root, files: [...found].sort().map((file) => path.relative(root, file)) };
}

const isFolder = (name) => fs.statSync(name, { throwIfNoEntry: false })?.isDirectory() ?? false;

/** The part of a pattern before its first wildcard: where a search begins. */
function literalPart(pattern) {
  const parts = pattern.split(path.sep);
  const first = parts.findIndex((part) => WILDCARD.test(part));
  return first < 0 ? pattern : parts.slice(0, first).join(path.sep) || path.sep;
}

function matching(pattern, base, hidden) {
  if (!fs.existsSync(base)) return [];
  if (!isFolder(base)) return [base];
  const shown = filesBelow(base).filter((file) => hidden || !`/${file}`.includes("/."));
  const files = hidden || !path.basename(base).startsWith(".") ? shown.map((each) => path.join(base, each)) : [];
  if (base === pattern) return files;
  const glob = globToRegExp(pattern);
  const folders = (file) => {
    for (let folder = path.dirname(file); folder.length > base.length; folder = path.dirname(folder)) {
      if (glob.test(folder)) return true;
    }
    return false;
  };
  return files.filter((file) => glob.test(file) || folders(file));
}

function commonFolder(names) {
  const split = names.map((name) => (isFolder(name) ? name : path.dirname(name)).split(path.sep));
  const shared = split[0].filter((part, index) => split.every((parts) =>
    parts.slice(0, index + 1).join("/") === split[0].slice(0, index + 1).join("/")));
  return shared.join(path.sep) || path.sep;
}

/** Copy files of one folder into another, with the folders that they need. */
export function copyFiles(files, from, to) {
  for (const file of files) {
    fs.mkdirSync(path.dirname(path.join(to, file)), { recursive: true });
    fs.cpSync(path.join(from, file), path.join(to, file), { dereference: true, preserveTimestamps: true });
  }
}
