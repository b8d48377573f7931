/** What a job's token may do: the nearest `permissions` counts, and nobody gets more than is there. */

import { WorkflowError } from "./errors.js";

const SCOPES = [
  "actions", "attestations", "checks", "contents", "deployments", "discussions", "id-token",
  "issues", "models", "packages", "pages", "pull-requests", "repository-projects",
  "security-events", "statuses",
];
const LEVELS = ["none", "read", "write"];
/** A repository's default since 2023, where neither the job nor the workflow says anything. */
const DEFAULT = { contents: "read", packages: "read" };

const everything = (level) => Object.fromEntries(SCOPES.map((scope) => [scope, level]));
const rank = (level = "none") => LEVELS.indexOf(level);

/** The grants of a `permissions` key; undefined where there is none. */
export function grantsOf(declared) {
  if (declared === undefined) return undefined;
  if (declared === "read-all") return everything("read");
  if (declared === "write-all") return everything("write");
  return declared ?? {};
}

/** What a token may do by itself, before any `permissions`: a fork's pull request may only read. */
export function ceilingOf(isFork) {
  return isFork ? { ...everything("read"), "id-token": "none" } : everything("write");
}

/**
 * The permissions of a job.
 *
 * @param {object | undefined} own grants of the job
 * @param {object | undefined} outer grants of its workflow
 * @param {object} ceiling what the caller's job, or the event, leaves
 * @param {string} where for the message
 */
export function effective(own, outer, ceiling, { where, isCalled, isFork }) {
  const wanted = own ?? outer ?? (isCalled ? ceiling : DEFAULT);
  const granted = {};
  for (const [scope, level] of Object.entries(wanted)) {
    if (rank(level) <= rank(ceiling[scope])) granted[scope] = level;
    else if (isFork) granted[scope] = ceiling[scope];
    else {
      const allowed = ceiling[scope] ?? "none";
      throw new WorkflowError(
        `${where} is requesting '${scope}: ${level}', but is only allowed '${scope}: ${allowed}'.`,
      );
    }
  }
  return granted;
}

/** Refuse what a job without `scope: level` may not do. */
export function demand(permissions, scope, level, what) {
  if (rank(permissions[scope]) < rank(level)) {
    throw new Error(`${what} needs the permission '${scope}: ${level}', which this job lacks.`);
  }
}
