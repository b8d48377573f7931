/** Steps, one after another: those of a job, or those of a composite action within one. */
import path from "node:path";
import { runAction } from "./actions.js";
import { CommandFiles } from "./command_files.js";
import { CommandReader } from "./commands.js";
import { runComposite } from "./composite.js";
import { isTolerated, minutesOf } from "./declared.js";
import { WorkflowError } from "./errors.js";
import { asText, holds, resolve, resolveTexts, strict } from "./expressions.js";
import { hashFiles } from "./hash_files.js";
import { runProcess } from "./process.js";
import { shellCommand } from "./shells.js";

export class Sequence {
  /**
   * @param {import("./job_run.js").JobRun} job
   * @param {object} surroundings contexts; status (functions); variables of the step around;
   *   `parent`, the facts of the step around, and `failed`, which hears of a failed step
   */
  constructor(job, surroundings) {
    Object.assign(this, { job, failed: () => { job.status = "failure"; }, ...surroundings });
    this.done = {};
  }

  async execute(steps) {
    for (const step of steps) await this.#step(step);
  }

  /** The `steps` context: what ran until now, and nothing else. */
  context() {
    return strict(this.done, "steps");
  }

  #scope(variables) {
    const contexts = {
      ...this.contexts,
      steps: this.context(),
      env: strict(variables, "env"),
      job: strict({ status: this.job.status, container: {}, services: {} }, "job"),
    };
    const hash = (...patterns) => hashFiles(this.job.workspace, patterns);
    return { contexts, status: this.status, hashFiles: hash };
  }

  async #step(step) {
    const { job } = this;
    const number = job.steps.length + 1;
    const facts = {
      id: step.id, name: nameOf(step.yaml), names: namesOf(step), number, parent: this.parent?.id ?? null,
      outcome: "skipped", conclusion: "skipped", outputs: {}, summary: "", log: [],
    };
    job.steps.push(facts);
    const before = { ...job.variables, ...this.variables };
    const own = { ...this.variables, ...resolveTexts(step.yaml.env, this.#scope(before)) };
    const variables = { ...job.variables, ...own };
    const scope = this.#scope(variables);
    const running = {
      facts, scope, own, variables, controller: new AbortController(),
      wanted: () => holds(step.condition, scope),
    };
    if (running.wanted()) {
      job.active.push(running);
      job.log(`${"  ".repeat(job.active.length)}▶ ${facts.name}`);
      try {
        await this.#attempt(step, running);
      } finally {
        job.active.pop();
      }
    }
    this.#record(step, facts);
  }

  async #attempt(step, running) {
    const { job } = this;
    const { facts, scope } = running;
    const minutes = minutesOf(step.yaml, 1e6, { scope, where: `${job.path}/${facts.name}` });
    let late = false;
    const timer = setTimeout(
      () => { late = true; running.controller.abort(); },
      Math.min(minutes * job.run.request.minute_seconds * 1e3, 2 ** 31 - 1),
    );
    try {
      const succeeded = await this.#do(step, running);
      if (late) this.annotate(running, "error", `The action '${facts.name}' has timed out after ${minutes} minutes.`);
      facts.outcome = succeeded && !late ? "success" : "failure";
    } catch (error) {
      if (error instanceof WorkflowError) throw error;
      this.annotate(running, "error", error.message);
      facts.outcome = "failure";
    } finally {
      clearTimeout(timer);
    }
    if (running.controller.signal.aborted && !late) facts.outcome = "cancelled";
    const tolerated = facts.outcome === "failure" && isTolerated(step.yaml, scope);
    facts.conclusion = tolerated ? "success" : facts.outcome;
    if (facts.conclusion === "failure") this.failed();
  }

  /** Do a step, or what the test wants in its place; returns whether it succeeded. */
  async #do(step, running) {
    const { run, path: jobPath } = this.job;
    const { names } = running.facts;
    const stub = run.injected("stub", jobPath, names);
    if (stub) {
      this.#complete(running, stub);
      return true;
    }
    const failure = run.injected("fail", jobPath, names);
    if (failure !== undefined && failure !== "after") throw new Error(failure);
    const cancel = run.injected("cancel", jobPath, names);
    running.cancelAt = cancel;
    if (cancel === "") setImmediate(() => run.cancel());
    const succeeded = await this.#really(step, running);
    if (failure === "after") throw new Error(`${running.facts.name} failed after its work was done.`);
    return succeeded;
  }

  async #really(step, running) {
    if (step.yaml.run !== undefined) return this.#script(step, running);
    const uses = String(step.yaml.uses);
    const inputs = resolveTexts(step.yaml.with, running.scope);
    if (uses.startsWith("./")) {
      const { succeeded, outputs } = await runComposite(this, running, uses, inputs);
      this.#complete(running, outputs);
      return succeeded;
    }
    this.#complete(running, await runAction(this, running, uses, inputs));
    return true;
  }

  async #script(step, running) {
    const { job } = this;
    const { scope, facts } = running;
    const shell = asText(resolve(step.yaml.shell ?? this.shell ?? job.defaults.shell ?? "", scope));
    const folder = asText(
      resolve(step.yaml["working-directory"] ?? job.defaults["working-directory"] ?? "", scope),
    );
    const script = asText(resolve(step.yaml.run, scope));
    const files = new CommandFiles(path.join(job.runner.temp, "commands"), facts.number);
    const command = shellCommand(shell, script, path.join(job.runner.temp, `${facts.number}.sh`));
    const github = { ...this.contexts.github, action: facts.id };
    const env = { ...job.baseVariables(github), ...running.variables, ...files.files };
    const { code, group } = await runProcess(command, {
      cwd: path.resolve(job.workspace, folder), env, signal: running.controller.signal,
      minuteSeconds: job.run.request.minute_seconds,
      onLine: this.#lineReader(running),
    });
    job.groups.push(group);
    this.#takeFiles(files, running);
    if (code !== 0 && !running.controller.signal.aborted) {
      this.annotate(running, "error", `Process completed with exit code ${code}.`);
    }
    facts.exit_code = code;
    return code === 0;
  }

  #lineReader(running) {
    const { job } = this;
    const reader = new CommandReader({
      annotate: (level, message, place) => job.annotate(level, message, place, running.facts.name),
      mask: (value) => job.masks.add(value),
    });
    return (line) => {
      const shown = reader.read(line);
      if (shown === undefined) return;
      this.#print(running, shown);
      if (running.cancelAt && line.includes(running.cancelAt)) job.run.cancel();
    };
  }

  #takeFiles(files, running) {
    const { job } = this;
    Object.assign(job.variables, files.variables());
    job.paths.unshift(...files.paths().reverse());
    const { text, problem } = files.summary();
    running.facts.summary = job.masks.hide(text);
    if (problem) this.annotate(running, "error", problem);
    this.#complete(running, files.outputs());
  }

  #complete(running, outputs) {
    const texts = Object.entries(outputs).map(([name, value]) => [name, asText(value)]);
    running.facts.outputs = Object.fromEntries(texts);
  }

  /** Annotate of the runner's own accord; what the step prints itself is in the log already. */
  annotate(running, level, message) {
    this.#print(running, `##[${level}]${message}`);
    this.job.annotate(level, message, {}, running.facts.name);
  }

  #print(running, line) {
    running.facts.log.push(this.job.masks.hide(line));
    this.job.log(`    ${line}`);
  }

  /** A step that did not succeed may lack outputs; of one that did, an unknown one is an error. */
  #record(step, { id, outcome, conclusion, outputs }) {
    const path = `steps.${id}`;
    const handed = outcome === "success" ? strict(outputs, `${path}.outputs`) : { ...outputs };
    this.done[id] = strict({ outcome, conclusion, outputs: handed }, path);
  }
}

function nameOf(yaml) {
  if (yaml.name) return String(yaml.name);
  return yaml.uses ? `Run ${String(yaml.uses).split("@")[0]}` : `Run ${String(yaml.run).split("\n")[0]}`;
}

/** What a test may call a step: its id, its name, or its action without the version. */
function namesOf(step) {
  const { id, name, uses } = step.yaml;
  return [id, name, uses && String(uses).split("@")[0]].filter(Boolean).map(String);
}
