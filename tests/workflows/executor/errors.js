/** A workflow that is wrong in itself: the whole run ends, and no scenario can take it for a failure. */
export class WorkflowError extends Error {}
