/** Executes one workflow: `node main.js REQUEST.json RESULT.json`; the log goes to stdout. */
import fs from "node:fs";
import { killLeftovers } from "./process.js";
import { Run } from "./run.js";
import { topLevel } from "./workflow_run.js";

const [requestFile, resultFile] = process.argv.slice(2);
const run = new Run(JSON.parse(fs.readFileSync(requestFile, "utf8")));
const NOT_STARTED = { result: "skipped", outputs: {}, name: null, concurrency: null };
let outcome;
try {
  const workflow = await topLevel(run);
  const executed = workflow ? await workflow.execute() : NOT_STARTED;
  outcome = { ...executed, ...run.result(), unmet: workflow ? run.unmet() : [] };
} catch (error) {
  run.abort();
  console.error(error.stack);
  outcome = { ...run.result(), error: error.message };
} finally {
  killLeftovers();
}
fs.writeFileSync(resultFile, JSON.stringify(outcome, null, 1));
process.exit(0);
