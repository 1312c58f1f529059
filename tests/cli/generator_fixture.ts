/**
 * Generators with a teacher in this process.
 *
 * @module
 */

import { TeacherError } from "../../lib/errors.ts";
import { ResponseGenerator } from "../../lib/response_generator.ts";
import type { ResponseGeneratorOptions } from "../../lib/run/options.ts";
import type { TeacherRequest } from "../../lib/teacher/teacher.ts";

/**
 * Creates a generator whose teacher returns these answers, each of 1,000 completion tokens. A row
 * without one fails.
 */
export function answering(
  answer: (request: TeacherRequest) => string | undefined,
  options: Partial<ResponseGeneratorOptions> = {},
): ResponseGenerator {
  const usage = { promptTokens: 0, completionTokens: 1_000 };
  return new ResponseGenerator({
    ...options,
    teacher: {
      model: "test-model",
      complete(request) {
        const response = answer(request);
        if (response !== undefined) {
          return Promise.resolve({ response, finishReason: "stop", usage, model: "test-model" });
        }
        return Promise.reject(new TeacherError(`No ${request.uid}`, { status: 422 }));
      },
    },
  });
}
