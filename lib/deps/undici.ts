// deno-lint-ignore-file no-import-prefix -- this is where packages enter
/**
 * HTTP transport: undici's client and proxy agent. See `docs/architecture.md` for why it is not
 * `fetch`.
 *
 * Modules are imported one by one: undici's entry also loads `fetch`, WebSockets, mocks and caches,
 * which adds 60 ms to every start.
 *
 * @module
 */

import type * as undici from "npm:undici@8.12.4";
// @ts-types="./types/untyped_module.d.ts"
import connect from "npm:undici@8.12.4/lib/api/api-connect.js";
// @ts-types="./types/untyped_module.d.ts"
import connector from "npm:undici@8.12.4/lib/core/connect.js";
// @ts-types="./types/untyped_module.d.ts"
import allErrors from "npm:undici@8.12.4/lib/core/errors.js";
// @ts-types="./types/untyped_module.d.ts"
import client from "npm:undici@8.12.4/lib/dispatcher/client.js";
// @ts-types="./types/untyped_module.d.ts"
import dispatcher from "npm:undici@8.12.4/lib/dispatcher/dispatcher.js";
// @ts-types="./types/untyped_module.d.ts"
import proxyAgent from "npm:undici@8.12.4/lib/dispatcher/proxy-agent.js";

const Client = client as typeof undici.Client;
type Client = undici.Client;
const ProxyAgent = proxyAgent as typeof undici.ProxyAgent;
type ProxyAgent = undici.ProxyAgent;
const buildConnector = connector as typeof undici.buildConnector;
type Connector = undici.buildConnector.connector;
const errors = allErrors as typeof undici.errors;
type DispatchController = undici.Dispatcher.DispatchController;
type DispatchHandler = undici.Dispatcher.DispatchHandler;
type DispatchOptions = undici.Dispatcher.DispatchOptions;

// The proxy agent opens its tunnels with this method, which undici's entry would add.
Object.assign((dispatcher as typeof undici.Dispatcher).prototype, { connect });

export {
  buildConnector,
  Client,
  type Connector,
  type DispatchController,
  type DispatchHandler,
  type DispatchOptions,
  errors,
  ProxyAgent,
};
