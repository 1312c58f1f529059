/**
 * A simulated teacher, served over HTTP, for runs that cost nothing.
 *
 * In: latency, faults and limits. Out: an OpenAI-compatible server. It sends no requests to other
 * servers.
 *
 * @module
 */

export { parseSimulateOptions, type SimulateOptions } from "./options.ts";
export {
  serveSimulatedTeacher,
  type SimulatedTeacher,
  type SimulatedTeacherOptions,
} from "./simulated_teacher.ts";
