/** The values that a job hides in its log, and never hands on. */

export class Masks {
  constructor(values) {
    this.values = new Set();
    values.forEach((value) => this.add(value));
  }

  /** Hide a value, and each line of one that has several. */
  add(value) {
    for (const line of [value, ...String(value).split(/\r?\n/)]) {
      if (line.trim()) this.values.add(line);
    }
  }

  hide(text) {
    const longestFirst = [...this.values].sort((left, right) => right.length - left.length);
    return longestFirst.reduce((hidden, value) => hidden.replaceAll(value, "***"), text);
  }

  isIn(text) {
    return [...this.values].some((value) => text.includes(value));
  }
}
