/**
 * aws-actions/configure-aws-credentials: gives the job the local AWS, and only it.
 *
 * As on GitHub the way in is an OIDC token, so the job needs `id-token: write`. The keys are fresh
 * and masked; that an output with one of them in it is dropped shows here, too.
 */
import crypto from "node:crypto";
import { demand } from "../permissions.js";

const ROLE = /^arn:aws[a-z-]*:iam::(\d{12}):role\/.+$/;
const REGION = /^[a-z]{2}(-[a-z]+)+-\d$/;

export default function configureAwsCredentials(inputs, { job, run, log }) {
  const role = inputs["role-to-assume"];
  const region = inputs["aws-region"];
  if (!REGION.test(region)) throw new Error(`Region is not valid: '${region}'`);
  if (!role) throw new Error("Could not load credentials from any providers: no role-to-assume is given");
  demand(job.permissions, "id-token", "write", "The login to AWS with an OIDC token");
  const [, account] = ROLE.exec(role) ?? [];
  if (!account) throw new Error(`Source Account ID is needed: '${role}' is no ARN of a role`);
  const seconds = Number(inputs["role-duration-seconds"] || 3600);
  if (!(seconds >= 900 && seconds <= 43200)) throw new Error(`Member must be 900 to 43200 s: ${seconds}`);
  if (!run.request.aws.AWS_ENDPOINT_URL) throw new Error("This run has no AWS; pass one with aws=.");
  const keys = {
    AWS_ACCESS_KEY_ID: `ASIA${crypto.randomBytes(8).toString("hex").toUpperCase()}`,
    AWS_SECRET_ACCESS_KEY: crypto.randomBytes(20).toString("hex"),
    AWS_SESSION_TOKEN: crypto.randomBytes(40).toString("hex"),
  };
  Object.values(keys).forEach((value) => job.masks.add(value));
  if (inputs["mask-aws-account-id"] === "true") job.masks.add(account);
  const regions = { AWS_REGION: region, AWS_DEFAULT_REGION: region };
  Object.assign(job.variables, run.request.aws, keys, regions);
  const environment = job.environment || null;
  run.logins.push({ job: job.path, role, region, environment, seconds: String(seconds) });
  log(`Authenticated as ${role}`);
  return { "aws-account-id": account, "authenticated-arn": role };
}
