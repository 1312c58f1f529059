/**
 * A simulated teacher, served over HTTP, for runs that cost nothing.
 *
 * In: its latency, faults and limits. Out: an OpenAI-compatible server. It makes no requests
 * itself.
 *
 * @module
 */

export { parseSimulateOptions, type SimulateOptions } from "./options.ts";
export {
  serveSimulatedTeacher,
  type SimulatedTeacher,
  type SimulatedTeacherOptions,
} from "./simulated_teacher.ts";
