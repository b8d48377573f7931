/** `node --import` this: GitHub's packages import JSON in a way that Node 20 to 24 refuses. */
import { register } from "node:module";

const hook = `
  import { readFile } from "node:fs/promises";
  import { fileURLToPath } from "node:url";
  export async function load(url, context, next) {
    if (!url.endsWith(".json")) return next(url, context);
    const text = await readFile(fileURLToPath(url), "utf8");
    return { format: "module", shortCircuit: true, source: "export default " + text };
  }`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
