/**
 * Reads the connection settings of a teacher (endpoint, header fields, certificates) from the flags,
 * which are for all teachers, and from its own settings in the configuration.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import { isSecretHeader } from "../lib/secret_names.ts";
import { ENDPOINTS, type OpenAICompatibleOptions } from "../lib/teacher/mod.ts";
import { notSet, variableOf } from "./api_key.ts";
import type { TeacherSpec } from "./config_teachers.ts";
import type { Io } from "./io.ts";
import type { Settings } from "./settings.ts";

/** Header fields of requests to one teacher. */
interface TeacherHeaders {
  readonly headers: Record<string, string>;
  /**
   * Values from environment variables, which must not be shown: each alone, and with its scheme,
   * as in `Bearer …`.
   */
  readonly secrets: string[];
}

/** `NAME=VALUE`, or `NAME: VALUE` as for curl. */
const FIELD = /^([\w!#$%&'*+.^`|~-]+)\s*[=:]\s*(.*)$/s;
/**
 * A variable, alone or after a scheme such as `Bearer`. Matches any text as its name: users may
 * have put the secret itself there.
 */
const VARIABLE = /^(\w+ )?@env:(.*)$/s;
/** Header fields that hold a key. If one of them is set, the default key is not sent. */
const KEY_FIELD = /^(authorization|api-key|x-api-key|x-goog-api-key|ocp-apim-subscription-key)$/i;

/**
 * Reads header fields. A later field replaces an earlier one of the same name.
 *
 * @throws {UsageError} if a text is not a header field, or names a variable that is not set
 */
function readHeaders(fields: readonly string[], io: Pick<Io, "env">): TeacherHeaders {
  const headers: Record<string, string> = {};
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

/** Whether one of the fields holds a key. */
export function holdsKey(headers: Readonly<Record<string, string>>): boolean {
  return Object.keys(headers).some((name) => KEY_FIELD.test(name));
}

/** Returns a `--header` as it may be shown: a typed secret is replaced by a variable. */
export function shownHeader(text: string): string {
  const [, name, value] = FIELD.exec(text) ?? [];
  if (name === undefined || VARIABLE.test(value) || !isSecretHeader(name)) return text;
  return `${name}=@env:${name.toUpperCase().replaceAll(/\W/g, "_")}`;
}

/** The options of a teacher that concern its connection. */
export type ConnectionOptions =
  & Pick<OpenAICompatibleOptions, "endpoint" | "ca" | "clientCert" | "clientKey" | "insecureTls">
  & Required<Pick<OpenAICompatibleOptions, "headers" | "secrets">>;

/**
 * Reads the connection settings of a teacher. Its own settings in the configuration take precedence
 * over flags.
 *
 * @throws {UsageError} if a setting is wrong, or a file or a variable is missing
 */
export async function readConnection(
  spec: TeacherSpec,
  settings: Settings,
  io: Io,
): Promise<ConnectionOptions> {
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
