/** Tests of lib/where/parse_where.ts. @module */

import { assertEquals, assertThrows } from "../../lib/deps/std_assert.ts";
import { UsageError } from "../../lib/errors.ts";
import { fieldName, parsePath, parseWhere, valueAt } from "../../lib/where/mod.ts";
import { patternOf } from "../../lib/where/tokens.ts";

const ROW = {
  id: 7,
  lang: "en",
  tags: ["a", "b"],
  meta: { score: 0.5, "odd name": "x" },
  text: 'He said "no"',
  empty: "",
  nothing: null,
  "a.b": 1,
  "ünï 😀": { c: 2 },
};
const DISTILL = { completion_tokens: 3999, finish_reason: "stop", id: 8 };

Deno.test("parseWhere() compares whole numbers of any length exactly", () => {
  const float = 1.2345678901234568e20;
  const row = { id: 9007199254740993n, list: [1, -1234567890123456789n], float, small: 3 };
  const cases: [condition: string, expected: boolean][] = [
    ["id == 9007199254740993", true],
    ["id == 9007199254740992", false],
    ["id != 9_007_199_254_740_992", true],
    ["id > 9007199254740992 and id < 9007199254740994", true],
    ["id >= 9007199254740994 or id > 1e17", false],
    ["id > 3.5 and small < 9007199254740993", true],
    ["id in (9007199254740992, 9007199254740994)", false],
    ["id in (1, 9007199254740993)", true],
    ["list contains -1234567890123456789", true],
    ["list contains -1234567890123456788", false],
    [`float == ${float} and float in (${float})`, true],
    ["float == 1.2345678901234568e20", true],
    [`float != ${float} or float > ${float}`, false],
    ["float == 123456789012345700000", false],
    ["float < 123456789012345700000", true],
    ['id == "9007199254740993"', false],
    ["id", true],
  ];
  for (const [condition, expected] of cases) {
    assertEquals(parseWhere(condition).matches(row), expected, condition);
  }
});

Deno.test("fieldName() writes any name as conditions read it", () => {
  const paths = [["a"], ["a", "b"], ["odd name"], ["a.b"], ["in"], ["Not"], ["null"], ["1st"], [
    "",
  ]];
  const nested = [["a", "odd name"], ["a", 'q"\\'], ["tick`s", "``"], ["a`", ""], [
    "ünï 😀",
    "in",
    "0",
  ]];
  for (const path of [...paths, ...nested]) {
    const row = path.reduceRight<unknown>((value, name) => ({ [name]: value }), "x") as object;
    assertEquals(valueAt([row], parsePath(fieldName(path))), "x", fieldName(path));
    assertEquals(parseWhere(`${fieldName(path)} == "x"`).matches(row), true, fieldName(path));
  }
  assertEquals(fieldName(["meta", "lang"]), "meta.lang");
});

Deno.test("parseWhere() evaluates the condition", () => {
  const cases: [condition: string, expected: boolean][] = [
    ['completion_tokens < 4000 and finish_reason == "stop"', true],
    ["completion_tokens >= 4_000", false],
    ["id == 7", true],
    ["id = 7 && lang != 'de'", true],
    ["lang == 'de' or lang == 'en' and id == 8", false],
    ["(lang == 'de' or lang == 'en') and id == 7", true],
    ["not lang == 'de'", true],
    ["!(lang == 'en')", false],
    ['lang in ("de", "en")', true],
    ['lang not in ["de", "en"]', false],
    ['tags contains "a"', true],
    ['text contains "\\"no\\""', true],
    ["text contains 'yes'", false],
    ["meta.score > 0.25 and meta.score < 1e0", true],
    ['meta["odd name"] == "x"', true],
    ['meta.`odd name` == "x" and `a.b` == 1 and `ünï 😀`.c == 2', true],
    ["tags[1] == 'b'", true],
    ["tags.1 == 'b'", true],
    ["missing == null and nothing == null", true],
    ["missing < 1 or missing > 1", false],
    ["lang < 1", false],
    ["empty", false],
    ["id", true],
    ["meta.toString == null and constructor == null", true],
    ["id == -7", false],
    ['text icontains "HE SAID"', true],
    ['tags icontains "B"', true],
    ['id icontains "7"', false],
    ['text matches "^He .*no"', true],
    ['text matches "^he"', false],
    ['text matches "(?i)^he"', true],
    ['id matches "7"', false],
    ['id == 7 and (lang == "en" and not text matches "x")', true],
  ];
  for (const [condition, expected] of cases) {
    assertEquals(parseWhere(condition).matches(ROW, DISTILL), expected, condition);
  }
});

Deno.test("parseWhere() gives the position of a syntax error", () => {
  const cases: [condition: string, problem: string][] = [
    ["", "at character 1: a field, a text"],
    ["id ==", "at character 6: a field"],
    ["id == 7 7", "at character 9: the condition should end here"],
    ["(id == 7", 'at character 9: a ")" is missing'],
    ["id in 7", 'at character 7: "in" needs a list'],
    ["id # 7", 'at character 4: "#" has no meaning here'],
    ['lang == "en', 'at character 9: " is never closed'],
    ['meta["a\\q"] == 1', 'at character 1: "a\\q" is not a JSON string'],
    ['"lang" == "en"', "at character 1: neither side is a field"],
    ["id == 7 and 'a' contains 'b'", "at character 13: neither side is a field"],
    ["(".repeat(10_000), "it is nested too deeply"],
    ["id == 7abc", "at character 7"],
    ["text matches 7", 'at character 14: "matches" needs a regular expression in quotes'],
    ['text matches "("', "at character 14: Invalid regular expression"],
  ];
  for (const [condition, problem] of cases) {
    assertThrows(() => parseWhere(condition), UsageError, problem);
  }
});

Deno.test("parseWhere() takes a regular expression as written, or with doubled backslashes", () => {
  const row = { text: 'I am sorry: 12.5 "it\'s" \\boxed\n\u4e2d' };
  const cases: [pattern: string, expected: boolean][] = [
    [String.raw`(?i)\bSorry\b`, true],
    [String.raw`(?i)\\bSorry\\b`, true],
    [String.raw`\bsorr\b`, false],
    [String.raw`\d+\.\d`, true],
    [String.raw`sorry\.`, false],
    [String.raw`\\d+\\.\\d`, true],
    [String.raw`\\\\boxed`, true],
    [String.raw`\\boxed`, false],
    [String.raw`\\\\sorry`, false],
    [String.raw`boxed\n\u4e2d$`, true],
    [String.raw`\"it\'s\"`, true],
  ];
  for (const [pattern, expected] of cases) {
    for (const quoted of [`"${pattern}"`, `'${pattern}'`]) {
      for (const condition of [`text matches ${quoted}`, `not (text Matches ${quoted})`]) {
        const found = parseWhere(condition).matches(row);
        assertEquals(found, expected !== condition.startsWith("not"), condition);
      }
    }
  }
  // As the page writes what was typed.
  for (
    const typed of [
      String.raw`\bsorry\b`,
      String.raw`\\boxed`,
      String.raw`\"it`,
      "boxed\n",
      "\u4e2d",
    ]
  ) {
    assertEquals(parseWhere(`text matches ${JSON.stringify(typed)}`).matches(row), true, typed);
  }
});

Deno.test("parseWhere() reads texts after other operators, and names of fields, as before", () => {
  const row = { text: "a\tb", matches: "d+" };
  assertEquals(parseWhere('text == "a\\tb" and text contains "\\t"').matches(row), true);
  assertEquals(parseWhere("matches == '\\d\\+' and matches matches '\\+$'").matches(row), true);
  assertThrows(() => parseWhere('matches == "\\d+"'), UsageError, "is not a JSON string");
  assertThrows(() => parseWhere('text matches "\\"'), UsageError, '" is never closed');
});

Deno.test("parseWhere() names the paths that it reads", () => {
  assertEquals(parseWhere("a.b == 1 or c in (1, d)").paths, [["a", "b"], ["c"], ["d"]]);
});

Deno.test("parseWhere() returns the conditions that must all hold, and the texts that they need", () => {
  const { parts } = parseWhere(
    '(lang == "en" and response icontains "sorry") and (id == 7 or id == 8) and not tags contains "a"',
  );
  assertEquals(parts.map(({ text, paths, needle }) => [text, paths.join(), needle?.text]), [
    ['lang == "en"', "lang", "en"],
    ['response icontains "sorry"', "response", "sorry"],
    ["id == 7 or id == 8", "id,id", undefined],
    ['not tags contains "a"', "tags", undefined],
  ]);
  assertEquals(parseWhere("a == 1 or b == 2").parts.map(({ text }) => text), ["a == 1 or b == 2"]);
});

Deno.test("patternOf() finds a text that is in every match", () => {
  const cases: [pattern: string, required: string][] = [
    ["(?i)total of \\d+ [a-z]+s\\b", "total of "],
    ["abc|def", ""],
    ["(abc|def)?ghi", "ghi"],
    ["colou?rs", "colo"],
    ["a{2}bcd", "bcd"],
    ["abcd*", "abc"],
    ["abc\\.def", "abc.def"],
    ["(?!xyz)[abc|]defg", "defg"],
    ["[^]ab]cde{0,2}f", ""],
    ["\\\\boxed\\{(.*?)\\}", "\\boxed{"],
    ["x😀中y?", "x😀中"],
    ["\\u0061bc\\x41\\p{L}d", ""],
    ["a\\-bc", "a-bc"],
    ["\\12abc", "abc"],
    ["(a)\\1bcd", "bcd"],
    ["\\0123", ""],
  ];
  for (const [pattern, required] of cases) {
    assertEquals(patternOf(pattern).requiredText, required, pattern);
  }
});
