/** A stand-in for GitHub's command line: `gh workflow run`, with the rights of the job's token. */
import fs from "node:fs";
import path from "node:path";
import { dispatchInputs } from "./inputs.js";
import { demand } from "./permissions.js";
import { Repository } from "./workflow.js";

const [folder, root, ...command] = process.argv.slice(2);

function fail(message) {
  console.error(message);
  process.exit(1);
}

async function runWorkflow(file, flags) {
  const inputs = {};
  let ref = "main";
  for (let index = 0; index < flags.length; index += 2) {
    const [flag, value] = [flags[index], flags[index + 1]];
    if (flag === "--ref" || flag === "-r") ref = value;
    else if (["-f", "--raw-field", "-F", "--field"].includes(flag)) {
      const [name, ...rest] = value.split("=");
      inputs[name] = rest.join("=");
    } else fail(`unknown flag: ${flag}`);
  }
  const token = path.join(folder, "tokens", path.basename(process.env.GH_TOKEN ?? ""));
  if (!process.env.GH_TOKEN || !fs.existsSync(token)) fail("gh: To use GitHub CLI in a GitHub Actions workflow, set the GH_TOKEN environment variable.");
  if (!process.env.GH_REPO && !fs.existsSync(".git")) fail("failed to determine base repo: set GH_REPO");
  demand(JSON.parse(fs.readFileSync(token, "utf8")), "actions", "write", "gh workflow run");
  const workflow = await new Repository(root).workflow(`.github/workflows/${file}`);
  if (!("workflow_dispatch" in workflow.events)) fail(`Workflow does not have 'workflow_dispatch' trigger: ${file}`);
  dispatchInputs(workflow.yaml.on.workflow_dispatch?.inputs ?? {}, inputs, file);
  const dispatch = JSON.stringify({ workflow: file, ref, inputs });
  fs.appendFileSync(path.join(folder, "dispatches.jsonl"), `${dispatch}\n`);
  console.log(`Created workflow_dispatch event for ${file} at ${ref}`);
}

if (command[0] !== "workflow" || command[1] !== "run" || !command[2]) {
  fail(`the stand-in for gh knows \`workflow run FILE\` only, not: ${command.join(" ")}`);
}
try {
  await runWorkflow(command[2], command.slice(3));
} catch (error) {
  fail(`gh: ${error.message}`);
}
