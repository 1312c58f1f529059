export declare function closestString(
  givenWord: string,
  possibleWords: ReadonlyArray<string>,
  options?: { caseSensitive?: boolean },
): string;
export declare function levenshteinDistance(str1: string, str2: string): number;
