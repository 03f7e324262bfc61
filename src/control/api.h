/*
 * api.h - what the files of the embedding API share.
 */
#ifndef WARREN_CONTROL_API_H
#define WARREN_CONTROL_API_H

/* Not 0 while a program's frame handler runs: commands and turns of the loop are refused then. */
extern unsigned api_in_handler;

/* Close the ports, and the firewall's datagrams, that the program has left open. */
void api_ports_close(void);
void api_diverts_close(void);

#endif
