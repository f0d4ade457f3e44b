// Whoever comes by an invitation keeps it: the form leads to where the address points.
document.forms[0].action += location.hash;
