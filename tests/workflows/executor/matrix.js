/** The combinations of a matrix, as GitHub documents them: cross product, `exclude`, `include`. */

const same = (left, right) => JSON.stringify(left) === JSON.stringify(right);

/** All combinations of an evaluated `strategy.matrix`; one empty one where there is no matrix. */
export function combinationsOf(matrix) {
  if (matrix === undefined) return [{}];
  if (matrix === null || typeof matrix !== "object") {
    throw new Error(`The matrix is ${JSON.stringify(matrix)}, expected a mapping.`);
  }
  const { include = [], exclude = [], ...vectors } = matrix;
  for (const [name, values] of Object.entries(vectors)) {
    if (!Array.isArray(values) || !values.length) {
      throw new Error(`Matrix vector '${name}' does not contain any values.`);
    }
  }
  const kept = product(vectors).filter((found) => !exclude.some((rule) => matches(found, rule)));
  return included(kept, include, Object.keys(vectors));
}

function product(vectors) {
  const names = Object.keys(vectors);
  if (!names.length) return [];
  return names.reduce(
    (found, name) => found.flatMap((each) => vectors[name].map((value) => ({ ...each, [name]: value }))),
    [{}],
  );
}

function matches(combination, rule) {
  return Object.entries(rule).every(([key, value]) => same(combination[key], value));
}

/** An entry joins every combination whose own values it does not overwrite; else it is a new one. */
function included(combinations, entries, vectors) {
  const all = combinations.map((each) => ({ ...each }));
  for (const entry of entries) {
    const own = Object.keys(entry).filter((key) => vectors.includes(key));
    const fitting = all
      .slice(0, combinations.length)
      .filter((each) => own.every((key) => same(each[key], entry[key])));
    if (fitting.length) fitting.forEach((each) => Object.assign(each, entry));
    else all.push({ ...entry });
  }
  return all;
}

/** How GitHub tells one job of a matrix from the others: " (a, b)". */
export function suffixOf(combination) {
  const values = Object.values(combination).filter((value) => typeof value !== "object");
  return values.length ? ` (${values.join(", ")})` : "";
}
