// What JavaScript does for the scanner (event-scanner.ts): whatever makes a text or knows the table. A value lies from `start` to
// `end`, its quotes or brackets included; what is given is its place in its column, where it is put if it is new.

/** A text, all ASCII, without escapes, that no event before had in this column, or a list of such. */
export declare function newValue(column: i32, start: usize, end: usize): i32;

/** Any other value of the column's type, written as programs do. */
export declare function usualValue(column: i32, start: usize, end: usize): i32;

/** A text with escapes, or with more than ASCII. */
export declare function oddText(column: i32, start: usize, end: usize): i32;

/** The empty text, which Go has where none was sent. */
export declare function emptyText(column: i32): i32;

/** Microseconds since 1970 (UTC) of the text from `start` to `end`, all ASCII; 0 where it is no time. */
export declare function microsOf(start: usize, end: usize): f64;

/** Likewise of the minute `2024-05-01T10:00:`. */
export declare function minuteOf(start: usize, end: usize): f64;
