/** Workflow commands in what a step prints: `::error file=a.py,line=3::It is wrong`. */

const COMMAND = /^\s*::([a-z-]+)(?: ([^:]*(?::(?!:)[^:]*)*))?::(.*)$/i;
const LEVELS = ["error", "warning", "notice"];
const IGNORED = ["debug", "add-matcher", "remove-matcher", "echo"];
const RETIRED = ["set-output", "save-state", "set-env", "add-path"];

const unescape = (text) =>
  text.replaceAll("%0D", "\r").replaceAll("%0A", "\n").replaceAll("%3A", ":").replaceAll("%2C", ",")
    .replaceAll("%25", "%");

function propertiesOf(text = "") {
  const pairs = text.split(",").filter((pair) => pair.includes("="));
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      return [pair.slice(0, at).trim(), unescape(pair.slice(at + 1))];
    }),
  );
}

/** Reads a step's lines; tells `listener` of annotations and masks. */
export class CommandReader {
  #stopped = undefined;

  /** @param {{annotate: (level, message, properties) => void, mask: (value) => void}} listener */
  constructor(listener) {
    this.listener = listener;
  }

  /** The line as it goes into the log; undefined where GitHub shows none. */
  read(line) {
    const found = COMMAND.exec(line);
    if (!found) return line;
    const [, given, properties, rest] = found;
    const name = given.toLowerCase();
    if (this.#stopped) {
      if (given === this.#stopped) this.#stopped = undefined;
      return line;
    }
    const message = unescape(rest);
    if (LEVELS.includes(name)) {
      this.listener.annotate(name, message, propertiesOf(properties));
      return `##[${name}]${message}`;
    }
    if (name === "add-mask") {
      this.listener.mask(message);
      return undefined;
    }
    if (name === "stop-commands") this.#stopped = message;
    if (name === "group" || name === "endgroup") return `##[${name}]${message}`;
    if (RETIRED.includes(name)) {
      this.listener.annotate("error", `The command '${name}' is disabled; write to its file.`, {});
    }
    return IGNORED.includes(name) ? undefined : line;
  }
}
