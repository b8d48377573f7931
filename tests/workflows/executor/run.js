/** One run of a workflow: what all its jobs share. */
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { ActionTable } from "./actions.js";
import { WorkflowError } from "./errors.js";
import { Repository } from "./workflow.js";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const GH = [process.execPath, "--import", here("json_modules.js"), here("gh.js")];

export class Run {
  /** @param {object} request as `running.py` writes it */
  constructor(request) {
    this.request = request;
    this.repository = new Repository(request.root);
    this.actions = new ActionTable();
    this.folder = request.folder;
    this.cancelled = false;
    this.jobs = {};
    this.artifacts = [];
    this.attestations = [];
    this.logins = [];
    this.bin = path.join(this.folder, "bin");
    this.tokens = path.join(this.folder, "tokens");
    this.dispatches = path.join(this.folder, "dispatches.jsonl");
    this.#running = new Set();
    this.#targets = new Map();
    for (const kind of ["fail", "stub", "cancel"]) {
      for (const target of Object.keys(request[kind])) this.#targets.set(`${kind} ${target}`, false);
    }
    for (const folder of [this.bin, this.tokens]) fs.mkdirSync(folder, { recursive: true });
    const gh = [...GH, this.folder, request.root].map((part) => `'${part}'`).join(" ");
    fs.writeFileSync(path.join(this.bin, "gh"), `#!/bin/sh\nexec ${gh} "$@"\n`, { mode: 0o755 });
    this.#slots = request.parallel;
  }

  #running;
  #targets;
  #slots;
  #waiting = [];

  log(job, text) {
    process.stdout.write(`${job} | ${text}\n`);
  }

  /** Wait for a runner to be free, and work on it. */
  async onRunner(work) {
    while (this.#slots === 0) await new Promise((resolve) => this.#waiting.push(resolve));
    this.#slots -= 1;
    try {
      return await work();
    } finally {
      this.#slots += 1;
      this.#waiting.shift()?.();
    }
  }

  join(job) {
    this.#running.add(job);
  }

  leave(job) {
    this.#running.delete(job);
  }

  /** Somebody presses "Cancel workflow". */
  cancel() {
    if (this.cancelled) return;
    this.cancelled = true;
    this.log("run", "cancelled");
    for (const job of this.#running) job.cancelUnlessWanted();
  }

  /** End everything at once, whatever it is: the run itself is wrong. */
  abort() {
    this.cancelled = true;
    for (const job of this.#running) job.abort();
  }

  /**
   * What the test wants of a job or a step.
   *
   * @param {"fail" | "stub" | "cancel"} kind
   * @param {string} job its path; a target without the suffix of a matrix means all its jobs
   * @param {string[]} [steps] the names that the step goes by
   */
  injected(kind, job, steps) {
    const jobs = [job, job.replace(/ \([^)]*\)/g, "")];
    const names = steps ? jobs.flatMap((each) => steps.map((step) => `${each}/${step}`)) : jobs;
    const target = names.find((name) => name in this.request[kind]);
    if (target === undefined) return undefined;
    this.#targets.set(`${kind} ${target}`, true);
    return this.request[kind][target];
  }

  /** Injections that met no job and no step: a test that proves nothing. */
  unmet() {
    return [...this.#targets].filter(([, met]) => !met).map(([target]) => target);
  }

  /** A token for a job, which the stand-ins can look up what it may do. */
  issueToken(permissions) {
    const token = `ghs_${crypto.randomBytes(18).toString("hex")}`;
    fs.writeFileSync(path.join(this.tokens, token), JSON.stringify(permissions));
    return token;
  }

  result() {
    const lines = fs.existsSync(this.dispatches) ? fs.readFileSync(this.dispatches, "utf8") : "";
    return {
      jobs: this.jobs,
      artifacts: this.artifacts.map(({ folder, ...artifact }) => artifact),
      attestations: this.attestations,
      logins: this.logins,
      dispatches: lines.split("\n").filter(Boolean).map((line) => JSON.parse(line)),
      cancelled: this.cancelled,
    };
  }

  /** The variables or secrets that a job sees: the repository's, and over them its environment's. */
  configured(kind, environment) {
    const { environments } = this.request;
    if (environment && !(environment in environments)) {
      throw new WorkflowError(
        `The environment '${environment}' is not set up; there are: ${Object.keys(environments)}.`,
      );
    }
    const names = [
      ...this.request.unset,
      ...Object.values(environments).flatMap((each) => Object.keys(each[kind] ?? {})),
    ];
    if (this.request.is_fork) return Object.fromEntries(names.map((name) => [name, ""]));
    const unset = Object.fromEntries(names.map((name) => [name, ""]));
    return { ...unset, ...this.request[kind], ...environments[environment]?.[kind] };
  }
}
