/** The HTTP transport. See `docs/architecture.md` for why it is not `fetch`. @module */

export {
  Agent,
  buildConnector,
  Client,
  type Dispatcher,
  errors,
  ProxyAgent,
} from "npm:undici@8.12.4";
