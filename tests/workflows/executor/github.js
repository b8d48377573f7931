/** The `github` context, the event's payload, and the variables that every step finds. */
import path from "node:path";

const EVENTS = {
  push: ({ ref, sha, actor }) => ({
    ref, before: "0".repeat(40), after: sha, deleted: false, forced: false,
    pusher: { name: actor },
    head_commit: { id: sha, message: "A change\n\nAnd why.", author: { name: actor, username: actor } },
    commits: [],
  }),
  pull_request: ({ sha, is_fork, repository, number }) => ({
    action: "synchronize", number,
    pull_request: {
      number, draft: false,
      head: {
        ref: "change", sha,
        repo: { fork: is_fork, full_name: is_fork ? "stranger/fork" : repository },
      },
      base: { ref: "main", repo: { fork: false, full_name: repository } },
    },
  }),
  workflow_dispatch: ({ ref, inputs, workflow }) => ({ ref, inputs, workflow }),
  schedule: ({ schedule }) => ({ schedule }),
};

export const EVENT_NAMES = Object.keys(EVENTS);

/** The context as all jobs share it; a job adds its own name and token. */
export function githubContext(request, inputs) {
  const isPull = request.event === "pull_request";
  const ref = isPull ? "refs/pull/7/merge" : request.ref;
  const facts = {
    ...request, ref, number: 7, workflow: request.workflow,
    inputs: Object.fromEntries(Object.entries(inputs).map(([key, value]) => [key, String(value)])),
  };
  const [owner] = request.repository.split("/");
  return {
    event_name: request.event,
    event: {
      ...EVENTS[request.event](facts),
      repository: { full_name: request.repository, default_branch: "main", owner: { login: owner } },
      sender: { login: request.actor },
      ...request.event_payload,
    },
    ref,
    ref_name: ref.replace(/^refs\/(heads|tags|pull)\//, ""),
    ref_type: ref.startsWith("refs/tags/") ? "tag" : "branch",
    ref_protected: false,
    head_ref: isPull ? "change" : "",
    base_ref: isPull ? "main" : "",
    sha: request.sha,
    repository: request.repository,
    repository_owner: owner,
    repository_id: "1",
    repository_owner_id: "2",
    repositoryUrl: `git://github.com/${request.repository}.git`,
    actor: request.actor,
    actor_id: "3",
    triggering_actor: request.actor,
    run_id: "1234567890",
    run_number: "42",
    run_attempt: "1",
    retention_days: "90",
    server_url: "https://github.com",
    api_url: "https://api.github.com",
    graphql_url: "https://api.github.com/graphql",
    secret_source: "Actions",
    workflow: request.workflow,
    workflow_ref: `${request.repository}/.github/workflows/${request.file}@${ref}`,
    workflow_sha: request.sha,
    job: null, // each job's own, as are the next four
    token: null,
    workspace: null,
    action: null,
    action_path: null,
    action_ref: "",
    action_repository: "",
    action_status: null,
    env: null,
    path: null,
    event_path: null,
  };
}

const AS_VARIABLES = [
  "action", "action_ref", "action_repository", "actor", "actor_id", "api_url", "base_ref", "event_name",
  "event_path", "graphql_url", "head_ref", "job", "ref", "ref_name", "ref_protected", "ref_type",
  "repository", "repository_id", "repository_owner", "repository_owner_id", "retention_days",
  "run_attempt", "run_id", "run_number", "server_url", "sha", "triggering_actor", "workflow",
  "workflow_ref", "workflow_sha", "workspace",
];

/** GITHUB_* and RUNNER_* as documented for every step. */
export function defaultVariables(github, runner) {
  const variables = { CI: "true", GITHUB_ACTIONS: "true" };
  for (const name of AS_VARIABLES) variables[`GITHUB_${name.toUpperCase()}`] = String(github[name] ?? "");
  for (const [name, value] of Object.entries(runner)) {
    if (value) variables[`RUNNER_${name.toUpperCase()}`] = value;
  }
  if (github.action_path) variables.GITHUB_ACTION_PATH = github.action_path;
  return variables;
}

/** The `runner` context of a job whose files lie in `folder`. */
export function runnerContext(folder, labels) {
  const hosted = !labels.includes("self-hosted");
  return {
    os: "Linux",
    arch: "X64",
    name: hosted ? "GitHub Actions 1" : "a machine of ours",
    environment: hosted ? "github-hosted" : "self-hosted",
    temp: path.join(folder, "temp"),
    tool_cache: path.join(folder, "tools"),
    debug: "",
  };
}
