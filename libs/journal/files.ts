/** The few file operations a journal needs. */
export interface Files {
  readonly TODO: never;
}
