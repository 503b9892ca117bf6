/* own_folder - a process alone in its working folder.
 *
 * What is in there bears one process: of two indexes open at once, or two spools, one loses what it
 * has acknowledged.  There are two when a supervisor was killed and the next is started at once:
 * the services of the first still answer their last calls.  So who comes later waits for them.
 */

#ifndef LIBS_MESH_OWN_FOLDER_H_
#define LIBS_MESH_OWN_FOLDER_H_

/* Before anything in the folder is read.  Waits until the life before has ended, up to four times
 * as long as a drain takes, and then exits with 75 (EX_TEMPFAIL).  The folder is ours until the
 * process ends. */
void own_folder_or_exit(void);

#endif
