/*
 * verb_folder.h - what relative file names of a command mean.
 */
#ifndef WARREN_KERN_VERB_FOLDER_H
#define WARREN_KERN_VERB_FOLDER_H

/*
 * The folder in which a command's user stands, or its lab file lies, is the process's until
 * verb_folder_leave() gets what this returns. Upper half only. "" changes nothing.
 */
int verb_folder_enter(const char *folder);
void verb_folder_leave(int back);

#endif
