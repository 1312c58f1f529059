/**
 * A monitor without a socket, and requests to it.
 *
 * @module
 */

import { createMonitor, type Monitor, type MonitorOptions } from "../../web/server.ts";
import { FakeRun } from "./fake_run.ts";

/** The host in the requests of pages. */
export const HOST = "127.0.0.1:8000";

/** A monitor without a socket. */
export function stage(options: MonitorOptions = {}): { run: FakeRun; monitor: Monitor } {
  const run = new FakeRun();
  return { run, monitor: createMonitor(run, { every: () => () => {}, ...options }) };
}

/** The headers of a browser with the cookie. */
export function cookieOf({ cookieName, token }: Monitor): string {
  return `${cookieName}=${token}`;
}

/** The headers of the page itself. */
export function own(monitor: Monitor): Record<string, string> {
  return {
    host: HOST,
    origin: `http://${HOST}`,
    cookie: cookieOf(monitor),
    "content-type": "application/json",
  };
}

/** Sends a GET of the page itself. */
export function get(
  monitor: Monitor,
  path: string,
  headers: Record<string, string> = {},
): Response | Promise<Response> {
  return monitor.app.request(path, {
    headers: { host: HOST, cookie: cookieOf(monitor), ...headers },
  });
}

/** Sends a control of the page itself. */
export function post(
  monitor: Monitor,
  name: string,
  body: unknown,
  headers = own(monitor),
): Response | Promise<Response> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return monitor.app.request(`/control/${name}`, { method: "POST", headers, body: text });
}
