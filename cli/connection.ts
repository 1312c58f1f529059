/**
 * How to connect to a teacher: endpoint, header fields, certificates. Flags apply to all teachers;
 * a teacher in the configuration may have its own settings.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import { isSecretHeader } from "../lib/params.ts";
import { ENDPOINTS } from "../lib/teacher/mod.ts";
import { notSet, variableOf } from "./api_key.ts";
import type { TeacherSpec } from "./config.ts";
import type { Io } from "./io.ts";
import type { Settings } from "./settings.ts";

/** `NAME=VALUE`, or `NAME: VALUE` as for curl. */
const FIELD = /^([\w!#$%&'*+.^`|~-]+)\s*[=:]\s*(.*)$/s;
/**
 * `@env:NAME`, alone or after a scheme such as `Bearer`. NAME is any text: users may type the
 * secret.
 */
const VARIABLE = /^(\w+ )?@env:(.*)$/s;
/** Header fields that hold a key, in place of the default key. */
const KEY_FIELD = /^(authorization|api-key|x-api-key|x-goog-api-key|ocp-apim-subscription-key)$/i;

/** Reads header fields, and variables in them. A later field replaces an earlier one of its name. */
function readHeaders(fields: readonly string[], io: Pick<Io, "env">) {
  const headers: Record<string, string> = {};
  // Values from variables, to be hidden: each alone, and with its scheme (`Bearer …`).
  const secrets: string[] = [];
  for (const text of fields) {
    const [, name, value] = FIELD.exec(text) ?? [];
    if (name === undefined) {
      throw new UsageError(
        "Cannot use a --header: it must be NAME=VALUE, as in X-Team=search, or NAME=@env:VARIABLE, " +
          "as in api-key=@env:AZURE_API_KEY",
      );
    }
    const [, scheme = "", variable] = VARIABLE.exec(value) ?? [];
    if (variable === undefined) headers[name] = value;
    else {
      const secret = variableOf(variable, io)?.trim() ?? "";
      if (secret === "") {
        throw new UsageError(`Cannot send the header "${name}": ${notSet(variable, "it")}`);
      }
      headers[name] = scheme + secret;
      secrets.push(secret, scheme + secret);
    }
  }
  return { headers, secrets };
}

export function holdsKey(headers: Readonly<Record<string, string>>): boolean {
  return Object.keys(headers).some((name) => KEY_FIELD.test(name));
}

/** Replaces a typed secret in a `--header` by a variable. */
export function shownHeader(text: string): string {
  const [, name, value] = FIELD.exec(text) ?? [];
  if (name === undefined || VARIABLE.test(value) || !isSecretHeader(name)) return text;
  return `${name}=@env:${name.toUpperCase().replaceAll(/\W/g, "_")}`;
}

export async function readConnection(spec: TeacherSpec, settings: Settings, io: Io) {
  const hasOwnPair = spec.clientCert !== undefined || spec.clientKey !== undefined;
  const ownFields = Object.entries(spec.headers ?? {}).map(([name, value]) => `${name}=${value}`);
  return {
    ...readHeaders([...settings.list("header"), ...ownFields], io),
    endpoint: spec.endpoint ?? settings.choice("endpoint", ENDPOINTS),
    ca: await settings.fileOr("ca-file", spec.caFile),
    clientCert: await settings.fileOr("client-cert", spec.clientCert, hasOwnPair),
    clientKey: await settings.fileOr("client-key", spec.clientKey, hasOwnPair),
    insecureTls: spec.insecureTls ?? settings.isOn("insecure-tls"),
  };
}
