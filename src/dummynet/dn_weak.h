/*
 * dn_weak.h - what a program is linked with as long as dn_aqm.c and dn_profile.c are not there: the
 * engine asks for them only when something is configured that needs them.
 */
#pragma weak dn_aqm_new
#pragma weak dn_aqm_free
#pragma weak dn_aqm_admit
#pragma weak dn_aqm_check
#pragma weak dn_aqm_config_changed
#pragma weak dn_queue_pop_aqm
#pragma weak dn_profile_draw
#pragma weak dn_profile_ref
#pragma weak dn_profile_rele
