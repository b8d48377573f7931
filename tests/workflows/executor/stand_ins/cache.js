/** actions/cache: restores at once, and saves after a job that succeeded. */
import restore from "./cache_restore.js";
import save from "./cache_save.js";

export default function cache(inputs, given) {
  const { "cache-hit": hit } = restore(inputs, given);
  if (hit !== "true" && inputs["lookup-only"] !== "true") given.post(() => save(inputs, given), "success");
  return { "cache-hit": hit };
}
