"""Never ships: the drawn world, training, judge, evidence, gallery, benchmark and pictures."""
