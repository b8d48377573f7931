/** Child processes, ended as GitHub's runner ends them. */
import { spawn } from "node:child_process";
import readline from "node:readline";

/**
 * The runner signals the entry process alone (the shell, not its children), waits, signals again,
 * waits, and kills everything. So `bash` must `exec` a program that wants to hear of it.
 * https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-cancellation
 */
const ENDING = [
  ["SIGINT", 7500],
  ["SIGTERM", 2500],
];
const DRAIN_SECONDS = 2;
const groups = new Set();

/** Kill whatever earlier processes left running. */
export function killLeftovers(of = groups) {
  for (const group of of) {
    try {
      process.kill(-group, "SIGKILL");
    } catch (error) {
      if (error.code !== "ESRCH") throw error; // nothing is left of it
    }
    groups.delete(group);
  }
}

/**
 * Run a command until it ends.
 *
 * @param {string[]} command
 * @param {{cwd: string, env: object, onLine: (line: string) => void, signal: AbortSignal,
 *   minuteSeconds: number}} options
 * @returns {Promise<{code: number, group: number}>} `code` is 128 + n where a signal ended it
 */
export async function runProcess(command, { cwd, env, onLine, signal, minuteSeconds }) {
  const child = spawn(command[0], command.slice(1), {
    cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"],
  });
  const closed = Promise.all([child.stdout, child.stderr].map((stream) => readLines(stream, onLine)));
  const ended = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, name) => resolve(code ?? 128 + (name === "SIGINT" ? 2 : 15)));
  });
  if (child.pid) groups.add(child.pid);
  const timers = [];
  const end = () => {
    let delay = 0;
    for (const [name, patience] of ENDING) {
      timers.push(setTimeout(() => child.kill(name), delay));
      delay += (patience * minuteSeconds) / 60;
    }
    timers.push(setTimeout(() => killLeftovers([child.pid]), delay));
  };
  if (signal.aborted) end();
  else signal.addEventListener("abort", end, { once: true });
  const code = await ended;
  timers.forEach(clearTimeout);
  signal.removeEventListener("abort", end);
  // What a background process of the step still holds open is not waited for.
  const drained = new Promise((resolve) => timers.push(setTimeout(resolve, DRAIN_SECONDS * 1000)));
  await Promise.race([closed, drained]);
  timers.forEach(clearTimeout);
  return { code, group: child.pid };
}

function readLines(stream, onLine) {
  const lines = readline.createInterface({ input: stream, crlfDelay: Infinity });
  lines.on("line", onLine);
  return new Promise((resolve) => lines.once("close", resolve));
}
