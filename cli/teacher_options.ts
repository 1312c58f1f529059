/**
 * How teachers are reached: endpoint, header fields and certificates, of one teacher or of all.
 *
 * @module
 */

import { ENDPOINTS, type OpenAICompatibleOptions } from "../lib/teacher/mod.ts";
import type { TeacherSpec } from "./config_teachers.ts";
import { readHeaders } from "./headers.ts";
import type { Io } from "./io.ts";
import type { Settings } from "./settings.ts";

/** How a teacher is reached. */
export type ReachOptions =
  & Pick<OpenAICompatibleOptions, "endpoint" | "ca" | "clientCert" | "clientKey" | "insecureTls">
  & Required<Pick<OpenAICompatibleOptions, "headers" | "secrets">>;

/**
 * Reads it: what a teacher of the configuration says of itself, then what holds for all.
 *
 * @throws {UsageError} when a file or a variable is not there
 */
export async function readReach(
  own: TeacherSpec,
  settings: Settings,
  io: Io,
): Promise<ReachOptions> {
  const hasOwnPair = own.clientCert !== undefined || own.clientKey !== undefined;
  const ofTeacher = Object.entries(own.headers ?? {}).map(([name, value]) => `${name}=${value}`);
  return {
    ...readHeaders([...settings.list("header"), ...ofTeacher], io),
    endpoint: own.endpoint ?? settings.choice("endpoint", ENDPOINTS),
    ca: await settings.fileOr("ca-file", own.caFile),
    clientCert: await settings.fileOr("client-cert", own.clientCert, hasOwnPair),
    clientKey: await settings.fileOr("client-key", own.clientKey, hasOwnPair),
    insecureTls: own.insecureTls ?? settings.isOn("insecure-tls"),
  };
}
