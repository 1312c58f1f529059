/**
 * A monitor without a socket, and requests to it.
 *
 * @module
 */

import { createMonitor, type Monitor, type MonitorOptions } from "../../web/server.ts";
import { FakeRun } from "./fake_run.ts";

/** `Host` of the requests. */
export const HOST = "127.0.0.1:8000";

export function stage(options: MonitorOptions = {}): { run: FakeRun; monitor: Monitor } {
  const run = new FakeRun();
  return { run, monitor: createMonitor(run, { every: () => () => {}, ...options }) };
}

/** Returns the cookie of a browser that was let in. */
export function cookieOf({ cookieName, token }: Monitor): string {
  return `${cookieName}=${token}`;
}

/** Returns the headers of the monitor's own page. */
export function own(monitor: Monitor): Record<string, string> {
  return {
    host: HOST,
    origin: `http://${HOST}`,
    cookie: cookieOf(monitor),
    "content-type": "application/json",
  };
}

/** Sends a GET of the monitor's own page. */
export function get(
  monitor: Monitor,
  path: string,
  headers: Record<string, string> = {},
): Response | Promise<Response> {
  return monitor.app.request(path, {
    headers: { host: HOST, cookie: cookieOf(monitor), ...headers },
  });
}

/** Sends a control of the monitor's own page. */
export function post(
  monitor: Monitor,
  name: string,
  body: unknown,
  headers = own(monitor),
): Response | Promise<Response> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return monitor.app.request(`/control/${name}`, { method: "POST", headers, body: text });
}
