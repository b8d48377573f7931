/**
 * GitHub's language service over the workflows and actions of a repository: what its editor would
 * underline. `node --import ./executor/json_modules.js language_service.js ROOT FILE...`
 */
import { validate } from "@actions/languageservice/validate";
import { TextDocument } from "vscode-languageserver-textdocument";
import { ActionTable } from "./executor/actions.js";
import { Repository } from "./executor/workflow.js";

const [root, ...files] = process.argv.slice(2);
const repository = new Repository(root);
const table = new ActionTable();
const described = (names) => Object.fromEntries(names.map((name) => [name, { description: "" }]));

/** Where a called workflow of this repository is read. */
const fileProvider = {
  getFileContent: async ({ path }) => ({ name: path, content: repository.read(path) }),
};

/** What the service knows of actions: our table, and the composite actions beside it. */
function metadataProvider(problems) {
  return {
    fetchActionMetadata: async ({ owner, name, ref, path }) => {
      try {
        const action = table.find(`${[owner, name, path].filter(Boolean).join("/")}@${ref}`);
        const inputs = Object.entries(action.inputs ?? {}).map(([key, input]) => [
          key,
          { description: "", required: false, ...input },
        ]);
        return {
          name: action.name,
          description: "",
          inputs: Object.fromEntries(inputs),
          outputs: described(action.outputs ?? []),
        };
      } catch (error) {
        problems.push({ message: error.message });
        return undefined;
      }
    },
  };
}

const START = { start: { line: 0, character: 0 } };
let found = 0;
for (const file of files) {
  const document = TextDocument.create(`file:///${file}`, "yaml", 1, repository.read(file));
  const problems = [];
  const actionsMetadataProvider = metadataProvider(problems);
  problems.push(...(await validate(document, { fileProvider, actionsMetadataProvider })));
  for (const { range = START, message } of problems) {
    console.log(`${file}:${range.start.line + 1}:${range.start.character + 1}: ${message}`);
    found += 1;
  }
}
process.exit(found ? 1 : 0);
