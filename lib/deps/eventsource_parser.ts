/** Server-sent events. @module */

export { createParser, type EventSourceMessage } from "npm:eventsource-parser@4.1.3";
