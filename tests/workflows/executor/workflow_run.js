/** A workflow's jobs, each as soon as those it needs have ended: the started one, or a called one. */
import { concurrencyOf } from "./declared.js";
import { WorkflowError } from "./errors.js";
import { asText, holds, resolve, resolveTexts, strict } from "./expressions.js";
import { EVENT_NAMES, githubContext } from "./github.js";
import { callInputs, dispatchInputs } from "./inputs.js";
import { JobRun } from "./job_run.js";
import { combinationsOf, suffixOf } from "./matrix.js";
import { ceilingOf, effective, grantsOf } from "./permissions.js";
import { isStarted } from "./triggers.js";

/** The workflow, if the event starts it. */
export async function topLevel(run) {
  const { request } = run;
  const definition = await run.repository.workflow(`.github/workflows/${request.file}`);
  const declared = definition.yaml.on?.[request.event];
  if (!EVENT_NAMES.includes(request.event) || !(request.event in definition.events)) {
    throw new WorkflowError(
      `${definition.name} does not start on '${request.event}', but on: ` +
        `${Object.keys(definition.events).join(", ")}.`,
    );
  }
  if (!isStarted(declared, request)) return undefined;
  request.workflow = definition.yaml.name ?? definition.name;
  const inputs = dispatchInputs(declared?.inputs ?? {}, request.inputs, definition.name);
  const github = githubContext(request, inputs);
  return prepare(run, definition, {
    github, inputs, prefix: "", ceiling: ceilingOf(request.is_fork), secrets: null,
  });
}

/** A workflow with all that it calls: what is wrong in any of them is told before a job starts. */
async function prepare(run, definition, given) {
  const workflow = new WorkflowRun(run, definition, given);
  for (const job of definition.jobs) {
    const isCalled = given.prefix !== "";
    const grants = effective(
      grantsOf(job.yaml.permissions), grantsOf(definition.yaml.permissions), given.ceiling,
      { where: `The job '${given.prefix}${job.id}'`, isCalled, isFork: run.request.is_fork },
    );
    workflow.permissions[job.id] = grants;
    if (job.calls) {
      const called = await run.repository.workflow(job.calls.replace(/^\.\//, ""));
      const prefix = `${given.prefix}${job.id}.`;
      await prepare(run, called, { ...given, prefix, ceiling: grants, inputs: {} });
      workflow.called[job.id] = called;
    }
  }
  return workflow;
}

class WorkflowRun {
  /**
   * @param {import("./run.js").Run} run
   * @param {object} definition see `Repository.workflow`
   * @param {object} given github, inputs, prefix of the jobs' paths, ceiling of their permissions,
   *   secrets (null for the repository's own)
   */
  constructor(run, definition, given) {
    Object.assign(this, { run, definition, given });
    this.permissions = {};
    this.called = {};
    this.ended = {};
  }

  async execute() {
    const { definition } = this;
    const started = new Map();
    const start = (id) => {
      if (!started.has(id)) {
        const job = definition.jobs.find((each) => each.id === id);
        started.set(id, Promise.all(job.needs.map(start)).then(() => this.#job(job)));
      }
      return started.get(id);
    };
    await Promise.all(definition.jobs.map((job) => start(job.id)));
    return { result: this.#result(), outputs: this.#outputs(), ...this.#facts() };
  }

  #result() {
    const results = Object.values(this.ended).map((job) => job.result);
    if (results.includes("failure")) return "failure";
    return this.run.cancelled || results.includes("cancelled") ? "cancelled" : "success";
  }

  #outputs() {
    const declared = this.definition.yaml.on?.workflow_call?.outputs ?? {};
    const jobs = Object.fromEntries(
      Object.entries(this.ended).map(([id, { result, outputs }]) => [
        id,
        strict({ result, outputs: strict(outputs, `jobs.${id}.outputs`) }, `jobs.${id}`),
      ]),
    );
    const contexts = { ...this.#contexts(""), jobs: strict(jobs, "jobs") };
    return Object.fromEntries(
      Object.entries(declared).map(([name, { value }]) => [name, asText(resolve(value, { contexts }))]),
    );
  }

  #facts() {
    const scope = { contexts: this.#contexts("") };
    const { yaml } = this.definition;
    return {
      name: yaml["run-name"] ? asText(resolve(yaml["run-name"], scope)) : (yaml.name ?? null),
      concurrency: concurrencyOf(yaml, scope),
    };
  }

  /** What the expressions of this workflow see, for a job in `environment`. */
  #contexts(environment) {
    const { github, inputs, secrets } = this.given;
    const ownSecrets = secrets ?? this.run.configured("secrets", environment);
    const contexts = {
      github: strict(github, "github"),
      inputs: strict(inputs, "inputs"),
      vars: strict(this.run.configured("vars", environment), "vars"),
      secrets: strict({ ...ownSecrets, GITHUB_TOKEN: "" }, "secrets"),
    };
    contexts.env = strict(resolveTexts(this.definition.yaml.env, { contexts }), "env");
    return contexts;
  }

  /** All jobs that a job comes after, near and far. */
  #ancestors(job) {
    const nearest = job.needs.map((id) => this.definition.jobs.find((each) => each.id === id));
    return new Set(nearest.flatMap((each) => [each.id, ...this.#ancestors(each)]));
  }

  #status(job) {
    const results = [...this.#ancestors(job)].map((id) => this.ended[id].result);
    return {
      success: () => !this.run.cancelled && results.every((result) => result === "success"),
      failure: () => !this.run.cancelled && results.includes("failure"),
      cancelled: () => this.run.cancelled,
    };
  }

  async #job(job) {
    const needs = Object.fromEntries(
      job.needs.map((id) => {
        const { result, outputs } = this.ended[id];
        return [id, strict({ result, outputs: strict(outputs, `needs.${id}.outputs`) }, `needs.${id}`)];
      }),
    );
    const contexts = { ...this.#contexts(""), needs: strict(needs, "needs") };
    const wanted = () => holds(job.condition, { contexts, status: this.#status(job) });
    const path = `${this.given.prefix}${job.id}`;
    if (!wanted()) {
      this.run.log(path, "skipped");
      this.ended[job.id] = { result: "skipped", outputs: this.#emptyOutputs(job) };
      this.run.jobs[path] = { ...this.ended[job.id], steps: [], annotations: [] };
      return;
    }
    const strategy = resolve(job.yaml.strategy ?? {}, { contexts });
    const combinations = combinationsOf(strategy.matrix);
    const group = { failFast: strategy["fail-fast"] ?? true, runs: [], total: combinations.length };
    const ended = combinations.map((matrix, index) => {
      const keys = Object.fromEntries(combinations.flatMap(Object.keys).map((key) => [key, null]));
      const own = {
        ...contexts,
        matrix: strict({ ...keys, ...matrix }, "matrix"),
        strategy: { "fail-fast": group.failFast, "job-index": index, "job-total": group.total },
      };
      return this.#one(job, `${path}${suffixOf(matrix)}`, own, wanted, group);
    });
    this.ended[job.id] = merged(await Promise.all(ended), this.#emptyOutputs(job));
  }

  #emptyOutputs(job) {
    const called = this.called[job.id]?.yaml.on.workflow_call?.outputs;
    return Object.fromEntries(Object.keys(called ?? job.yaml.outputs ?? {}).map((name) => [name, ""]));
  }

  async #one(job, path, contexts, wanted, group) {
    const stub = this.run.injected("stub", path);
    if (stub) return this.#pretend(job, path, stub);
    if (job.calls) return this.#call(job, path, contexts);
    const environment = environmentName(job, contexts);
    const own = { ...contexts, ...this.#contexts(environment) };
    const jobRun = new JobRun(this.run, {
      definition: job, path, contexts: own, wanted, environment,
      permissions: this.permissions[job.id], defaults: this.definition.yaml.defaults?.run ?? {},
    });
    group.runs.push(jobRun);
    this.run.join(jobRun); // one that waits for a runner can be cancelled, too
    const ended = await this.run.onRunner(() => jobRun.execute());
    if (ended.result === "failure" && group.failFast) group.runs.forEach((each) => each.cancel());
    return ended;
  }

  #pretend(job, path, stub) {
    const known = this.#emptyOutputs(job);
    const unknown = Object.keys(stub).filter((name) => !(name in known));
    if (unknown.length) throw new WorkflowError(`The stub of ${path} has unknown outputs: ${unknown}`);
    this.run.log(path, "stands in for itself");
    const ended = { result: "success", outputs: { ...known, ...stub } };
    this.run.jobs[path] = { ...ended, stubbed: true, steps: [], annotations: [] };
    return ended;
  }

  async #call(job, path, contexts) {
    const definition = this.called[job.id];
    const declared = definition.yaml.on.workflow_call ?? {};
    const where = `${definition.name}, called by ${path}`;
    const inputs = callInputs(declared.inputs ?? {}, resolve(job.yaml.with ?? {}, { contexts }), where);
    const secrets = job.inheritsSecrets ? this.given.secrets : this.#handedOn(job, declared, contexts);
    const given = { ...this.given, inputs, secrets, prefix: `${path}.`, ceiling: this.permissions[job.id] };
    const workflow = await prepare(this.run, definition, given);
    const { result, outputs } = await workflow.execute();
    this.run.jobs[path] = { result, outputs, steps: [], annotations: [] };
    return { result, outputs };
  }

  #handedOn(job, declared, contexts) {
    const secrets = resolveTexts(job.yaml.secrets, { contexts });
    const unset = Object.keys(declared.secrets ?? {}).map((name) => [name, ""]);
    return { ...Object.fromEntries(unset), ...secrets };
  }
}

/** The result of a job with a matrix; of its outputs, the last one that is not empty counts. */
function merged(ended, outputs) {
  const results = ended.map((each) => each.result);
  const result = ["failure", "cancelled"].find((each) => results.includes(each)) ?? "success";
  for (const each of ended) {
    for (const [name, value] of Object.entries(each.outputs)) if (value !== "") outputs[name] = value;
  }
  return { result, outputs };
}

function environmentName(job, contexts) {
  const declared = job.yaml.environment;
  const name = typeof declared === "object" ? declared?.name : declared;
  return asText(resolve(name ?? "", { contexts }));
}
